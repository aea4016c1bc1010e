/** Where shift time went, in the order in which a plant reads it: what was planned away, lost, and left for good parts. */
import type { Effect } from './api';

/** ISO 22400 factors, and the parts of a shift that cost each of them. */
export const FACTORS = ['availability', 'performance', 'quality'] as const;

const STEPS = [
  { id: 'planned_stop', factor: null, of: ['planned_stop_s'] },
  { id: 'breakdown', factor: 'availability', of: ['breakdown_s'] },
  { id: 'setup', factor: 'availability', of: ['setup_s'] },
  { id: 'unknown', factor: 'availability', of: ['unknown_s'] },
  { id: 'minor_stop', factor: 'performance', of: ['minor_stop_s'] },
  { id: 'reduced_speed', factor: 'performance', of: ['reduced_speed_s'] },
  { id: 'reject', factor: 'quality', of: ['startup_reject_s', 'production_reject_s'] },
  { id: 'undivided', factor: null, of: ['undivided_s'] },
  { id: 'productive', factor: null, of: ['productive_s'] },
] as const;

export type StepId = (typeof STEPS)[number]['id'];
export interface Step { id: StepId; factor: (typeof FACTORS)[number] | null; seconds: number; share: number; fromShare: number }

/**
 * The waterfall: each part's seconds, its share of all shift time, and where its bar begins (0 to 1, from the left).
 *
 * Losses are taken from the right end, so that what is left for good parts stands at the left, its bar from zero. Parts
 * without time are left out, but for the good parts.
 */
export function waterfall(times: Effect['times']): Step[] {
  const steps = STEPS.map((step) => ({ ...step, seconds: step.of.reduce((sum, name) => sum + times[name], 0) }));
  const all = steps.reduce((sum, step) => sum + step.seconds, 0);
  let left = all;
  const found: Step[] = [];
  for (const { id, factor, seconds } of steps) {
    left -= seconds;
    if (seconds > 0 || id === 'productive') found.push({ id, factor, seconds, share: all && seconds / all, fromShare: all && left / all });
  }
  return found;
}

/** Time lost by reason over several machines, largest first. */
export function reasons(machines: readonly { reasons: readonly { reason: string; stops: number; seconds: number }[] }[]) {
  const found = new Map<string, { reason: string; stops: number; seconds: number }>();
  for (const one of machines.flatMap((machine) => machine.reasons)) {
    const sum = found.get(one.reason) ?? { reason: one.reason, stops: 0, seconds: 0 };
    found.set(one.reason, { ...sum, stops: sum.stops + one.stops, seconds: sum.seconds + one.seconds });
  }
  return [...found.values()].sort((one, other) => other.seconds - one.seconds);
}
