/** From the buckets of a trend to what is drawn, read and saved. Pure. */
import type { Alarm, Series, SignalNow, Trend } from './api';

export type Infos = ReadonlyMap<number, SignalNow>;
export interface Range { fromUs: number; toUs: number }

const SECOND_US = 1e6;
/** The closest one can look, and the farthest. */
const MIN_SPAN_US = SECOND_US;
const MAX_SPAN_US = 50 * 366 * 86_400 * SECOND_US;

/** A pane holds the signals of one unit; a state signal has a pane of its own, for its names are its scale. */
export interface Pane { key: string; unit: string; signals: number[] }

export function panes(signals: readonly number[], infos: Infos): Pane[] {
  const byKey = new Map<string, Pane>();
  for (const id of signals) {
    const info = infos.get(id);
    if (!info) continue;
    const key = info.kind === 'state' ? `state ${id}` : `unit ${info.unit} ${info.kind === 'counter' ? 'counter' : ''}`;
    const pane = byKey.get(key);
    if (pane) pane.signals.push(id);
    else byKey.set(key, { key, unit: info.unit, signals: [id] });
  }
  return [...byKey.values()];
}

/** Values that hold until the next one: states, set-points, counters. */
export function isStepped(info: SignalNow | undefined): boolean {
  return info?.kind === 'state' || info?.kind === 'set_point' || info?.kind === 'counter';
}

/** How many steps to either side say what is usual there. */
const NEAR_STEPS = 8;
const USUAL_TIMES = 5;

/**
 * Where a line is interrupted: the index of each bucket that comes too long after the one before it.
 *
 * Too long is more than `max(2·bucket, the declared gap)`. Without a declaration it is five times the usual step on the
 * slower side of the hole, for history often comes once a minute and live values ten times a second; a state holds until
 * it changes.
 */
export function gaps(series: Series, bucketUs: number, info: SignalNow | undefined): number[] {
  const times = series.time_us;
  const columnsUs = 2 * bucketUs + 1;
  const declaredUs = info?.max_gap_ms == null ? null : info.max_gap_ms * 1000;
  if (declaredUs === null && (info?.kind === 'state' || info?.kind === 'set_point')) return [];
  const out: number[] = [];
  for (let idx = 1; idx < times.length; idx += 1) {
    const step = times[idx]! - times[idx - 1]!;
    if (step <= columnsUs || (declaredUs !== null && step <= declaredUs)) continue;
    if (declaredUs !== null || step > USUAL_TIMES * Math.max(usualStep(times, idx - NEAR_STEPS, idx - 1), usualStep(times, idx, idx + NEAR_STEPS))) out.push(idx);
  }
  return out;
}

/** Median of the steps between two indices; 0 when there are none. */
function usualStep(times: readonly number[], from: number, to: number): number {
  const steps: number[] = [];
  for (let idx = Math.max(1, from + 1); idx <= Math.min(times.length - 1, to); idx += 1) steps.push(times[idx]! - times[idx - 1]!);
  steps.sort((a, b) => a - b);
  return steps[steps.length >> 1] ?? 0;
}

type Column = (number | null | undefined)[];

/**
 * uPlot's columns: times in milliseconds, then for each series middle, minimum and maximum.
 * `undefined` is a time that only another series has, null interrupts the line.
 */
export function columns(series: readonly Series[], bucketUs: number, infos: Infos): [number[], ...Column[]] {
  const all = new Set<number>();
  const breaks = series.map((one) => gaps(one, bucketUs, infos.get(one.signal)).map((idx) => one.time_us[idx - 1]! + 1));
  for (const one of series) for (const time of one.time_us) all.add(time);
  for (const lifted of breaks) for (const time of lifted) all.add(time);
  const times = Float64Array.from(all).sort();
  const row = new Map<number, number>();
  times.forEach((time, idx) => row.set(time, idx));
  const out: [number[], ...Column[]] = [Array.from(times, (time) => time / 1000)];
  series.forEach((one, n) => {
    const middle = isStepped(infos.get(one.signal)) ? one.last : one.mean;
    for (const values of [middle, one.min, one.max]) {
      const column: Column = new Array<number | null | undefined>(times.length).fill(undefined);
      one.time_us.forEach((time, idx) => (column[row.get(time)!] = values[idx] ?? null));
      for (const time of breaks[n]!) column[row.get(time)!] = null;
      out.push(column);
    }
  });
  return out;
}

/** The bucket at or before a time; -1 when the series begins later. */
export function bucketAt(series: Series, timeUs: number): number {
  let low = 0;
  let high = series.time_us.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (series.time_us[middle]! <= timeUs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

export function zoom(range: Range, factor: number, aroundUs: number): Range {
  const span = range.toUs - range.fromUs;
  const wanted = Math.min(MAX_SPAN_US, Math.max(MIN_SPAN_US, span * factor));
  const share = (aroundUs - range.fromUs) / span;
  const fromUs = aroundUs - wanted * share;
  return { fromUs, toUs: fromUs + wanted };
}

export function pan(range: Range, byUs: number): Range {
  return { fromUs: range.fromUs + byUs, toUs: range.toUs + byUs };
}

/** The inside of a CSV field. */
function field(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The drawn buckets, one line each, times in ISO 8601. */
export function csv(trend: Trend, infos: Infos): string {
  const lines = ['path,unit,time,min,mean,max,first,last,count,bad'];
  for (const one of trend.series) {
    const info = infos.get(one.signal);
    const head = `${field(info?.path ?? String(one.signal))},${field(info?.unit ?? '')}`;
    one.time_us.forEach((time, idx) => {
      const numbers = [one.min, one.mean, one.max, one.first, one.last, one.count, one.bad].map((values) => values[idx] ?? '');
      lines.push(`${head},${new Date(time / 1000).toISOString()},${numbers.join(',')}`);
    });
  }
  return `${lines.join('\n')}\n`;
}

export interface Ringing { id: number; title: string; priority: number; fromUs: number; toUs: number | null }

interface Event { time_us: number; body: string }

/** From the record of alarms to the spans during which each was active; `toUs` is null while it still is. */
export function ringings(events: readonly Event[], present: readonly Alarm[]): Ringing[] {
  const open = new Map<number, Ringing>();
  const out: Ringing[] = [];
  for (const event of [...events].sort((a, b) => a.time_us - b.time_us)) {
    const record = JSON.parse(event.body) as { to: string; alarm: Alarm };
    // Hiding an alarm does not end it: between `shelved` and its return the condition is still there.
    const isOver = record.to === 'normal' || record.to === 'rtn_unack';
    const known = open.get(record.alarm.id);
    if (!isOver && !known && (record.to === 'unack' || record.to === 'acked')) {
      const { id, title, priority, since_us } = record.alarm;
      const ringing = { id, title, priority, fromUs: Math.min(since_us, event.time_us), toUs: null };
      open.set(id, ringing);
      out.push(ringing);
    } else if (isOver && known) {
      known.toUs = event.time_us;
      open.delete(record.alarm.id);
    }
  }
  for (const alarm of present) {
    const isActive = alarm.state === 'unack' || alarm.state === 'acked';
    if (isActive && !out.some((ringing) => ringing.id === alarm.id && ringing.toUs === null)) {
      out.push({ id: alarm.id, title: alarm.title, priority: alarm.priority, fromUs: alarm.since_us, toUs: null });
    }
  }
  return out;
}
