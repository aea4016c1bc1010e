/** What signals are called, asked for once per tab. */
import { get, type SignalNow } from './api';

const known = new Map<number, SignalNow>();

/** Descriptions of these signals by identity; one that does not exist is missing. */
export async function describe(ids: readonly number[]): Promise<ReadonlyMap<number, SignalNow>> {
  if (ids.length === 0) return new Map();
  let after: number | null = Math.min(...ids) - 1;
  while (after !== null && ids.some((id) => !known.has(id))) {
    const page: { signals: SignalNow[]; next?: number | null } = await get('/signals', { query: { limit: 1000, after } });
    remember(page.signals);
    after = page.next ?? null;
  }
  const described = new Map<number, SignalNow>();
  for (const id of ids) {
    const signal = known.get(id);
    if (signal) described.set(id, signal);
  }
  return described;
}

/** Keeps descriptions that came by another way. */
export function remember(signals: readonly SignalNow[]) {
  for (const signal of signals) known.set(signal.id, signal);
}
