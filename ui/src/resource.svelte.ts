import { ApiError } from './api';

/**
 * Something that is read from the server: its value, why there is none, and whether it is on its way.
 *
 * A newer `load` overtakes an older one, whose answer is thrown away; the last good value stays while it is read again.
 */
export class Resource<T> {
  value = $state.raw<T | null>(null);
  error = $state.raw<ApiError | null>(null);
  isLoading = $state(false);
  #asked = 0;
  #abort: AbortController | null = null;

  async load(read: (signal: AbortSignal) => Promise<T>): Promise<void> {
    const mine = ++this.#asked;
    this.#abort?.abort();
    this.#abort = new AbortController();
    this.isLoading = true;
    try {
      const value = await read(this.#abort.signal);
      if (mine !== this.#asked) return;
      this.value = value;
      this.error = null;
    } catch (error) {
      if (mine === this.#asked) this.error = asApiError(error);
    }
    if (mine === this.#asked) this.isLoading = false;
  }
}

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(-1, 'ours', error instanceof Error ? error.message : String(error), null);
}
