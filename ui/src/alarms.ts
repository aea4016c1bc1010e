/** Which alarms need somebody, and in which order. Pure. */
import type { Alarm } from './api';

export const VIEWS = ['active', 'shelved', 'suppressed', 'out_of_service', 'all'] as const;
export type View = (typeof VIEWS)[number];

/** Needs somebody now: not hidden by an overlay, and active or gone without having been seen. */
export function calls(alarm: Alarm): boolean {
  return !alarm.overlay && alarm.state !== 'normal';
}

export function isUnseen(alarm: Alarm): boolean {
  return calls(alarm) && (alarm.state === 'unack' || alarm.state === 'rtn_unack');
}

export function isIn(view: View, alarm: Alarm): boolean {
  if (view === 'all') return true;
  return view === 'active' ? calls(alarm) : alarm.overlay === view;
}

const RANK = { unack: 0, rtn_unack: 1, acked: 2, normal: 3 } as const;

/** Most urgent first: not seen before seen, then priority, then the newest. */
export function byUrgency(a: Alarm, b: Alarm): number {
  return RANK[a.state] - RANK[b.state] || a.priority - b.priority || b.since_us - a.since_us || a.id - b.id;
}

export interface Row { alarm: Alarm; isConsequent: boolean; nConsequents: number }

/**
 * The list as shown: of a group the first-out stands in the order, its consequents directly below it when opened.
 * A consequent whose first-out is not in `alarms` stands alone.
 */
export function rows(alarms: readonly Alarm[], opened: ReadonlySet<number>): Row[] {
  const sorted = [...alarms].sort(byUrgency);
  const heads = new Map<number, Alarm>();
  for (const alarm of sorted) if (alarm.group != null && alarm.first_out) heads.set(alarm.group, alarm);
  const isBelow = (alarm: Alarm) => alarm.group != null && !alarm.first_out && heads.has(alarm.group);
  const consequents = grouped(sorted.filter(isBelow));
  const out: Row[] = [];
  for (const alarm of sorted) {
    if (isBelow(alarm)) continue;
    const below = alarm.group != null && alarm.first_out ? (consequents.get(alarm.group) ?? []) : [];
    out.push({ alarm, isConsequent: false, nConsequents: below.length });
    if (alarm.group != null && opened.has(alarm.group)) out.push(...below.map((one) => ({ alarm: one, isConsequent: true, nConsequents: 0 })));
  }
  return out;
}

function grouped(alarms: Alarm[]): Map<number, Alarm[]> {
  const groups = new Map<number, Alarm[]>();
  for (const alarm of alarms) {
    if (alarm.group == null) continue;
    const group = groups.get(alarm.group);
    if (group) group.push(alarm);
    else groups.set(alarm.group, [alarm]);
  }
  return groups;
}

/** What may be done with an alarm as it stands (ISA-18.2). */
export function actions(alarm: Alarm): Action[] {
  const out: Action[] = [];
  if (alarm.state === 'unack' || alarm.state === 'rtn_unack') out.push('ack');
  if (alarm.latched) out.push('reset');
  if (!alarm.overlay) out.push('shelve', 'out_of_service');
  if (alarm.overlay === 'shelved') out.push('unshelve');
  if (alarm.overlay === 'out_of_service') out.push('in_service');
  out.push('comment');
  return out;
}

export type Action = 'ack' | 'reset' | 'shelve' | 'unshelve' | 'out_of_service' | 'in_service' | 'comment';

/** The signals that show an alarm best: its own, else those that speak loudest for it. */
export function evidence(alarm: Alarm, max = 4): number[] {
  if (alarm.signal != null) return [alarm.signal];
  return alarm.contributions.slice(0, max).map((part) => part.signal);
}

/** The list with newer ones in place of their older selves; pure. */
export function merge(list: readonly Alarm[], news: readonly Alarm[]): Alarm[] {
  const byId = new Map(list.map((alarm) => [alarm.id, alarm]));
  for (const alarm of news) {
    const known = byId.get(alarm.id);
    if (!known || known.seq <= alarm.seq) byId.set(alarm.id, alarm);
  }
  return [...byId.values()];
}
