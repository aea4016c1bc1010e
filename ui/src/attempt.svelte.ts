import type { ApiError } from './api';
import { asApiError } from './resource.svelte';

/** Something a person asked for: whether it is being done, what was said when it was, and why it could not be. */
export class Attempt {
  isBusy = $state(false);
  said = $state('');
  error = $state.raw<ApiError | null>(null);

  /** Does `work`; what it returns is shown. True when it was done. */
  async run(work: () => Promise<string>): Promise<boolean> {
    this.isBusy = true;
    try {
      this.said = await work();
      this.error = null;
    } catch (problem) {
      this.error = asApiError(problem);
      this.said = '';
    }
    this.isBusy = false;
    return this.error === null;
  }
}
