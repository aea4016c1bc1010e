/** What signals are called, asked for once per tab. */
import { get, type SignalNow } from './api';

const known: Record<number, SignalNow> = {};

/** Descriptions of these signals by identity; one that does not exist is missing. */
export async function describe(ids: number[]): Promise<Record<number, SignalNow>> {
  let after: number | null = null;
  while (ids.some((id) => !known[id])) {
    const page: { signals: SignalNow[]; next: number | null } = await get(`signals?limit=1000${after === null ? '' : `&after=${after}`}`);
    for (const signal of page.signals) known[signal.id] = signal;
    if (page.next === null || page.signals.length === 0) break;
    after = page.next;
  }
  return { ...known };
}
