import { describe, expect, test } from 'vitest';
import type { Alarm, Series, SignalNow, Trend } from './api';
import { bucketAt, columns, csv, gaps, pan, panes, ringings, zoom } from './trend';

const signal = (id: number, changes: Partial<SignalNow> = {}): SignalNow => ({ id, name: `s${id}`, path: `m:s${id}`, kind: 'gauge', unit: 'bar', states: [], rate_per_s: 1, ...changes });
const series = (id: number, times: number[], values: (number | null)[] = times): Series => ({
  signal: id, time_us: times, min: values, max: values, first: values, last: values, mean: values, count: times.map(() => 1), bad: times.map(() => 0), quality: times.map(() => 0),
});
const infos = (...all: SignalNow[]) => new Map(all.map((one) => [one.id, one]));

describe('a gap', () => {
  const minutes = Array.from({ length: 20 }, (_, idx) => idx * 60e6);
  const live = Array.from({ length: 20 }, (_, idx) => 19 * 60e6 + 1e6 + idx * 0.5e6);
  test.each([
    ['is five usual steps wide', signal(1), [0, 10, 20, 30, 100, 110], 1, [4]],
    ['is as wide as declared', signal(1, { max_gap_ms: 2 }), [0, 10, 2010, 4011], 1, [3]],
    ['is never narrower than two columns', signal(1, { max_gap_ms: 0 }), [0, 10, 2011], 1000, []],
    ['does not exist in a state', signal(1, { kind: 'state' }), [0, 10, 1e9], 10, []],
    ['is not where slow history meets fast values', signal(1), [...minutes, ...live], 0, []],
    ['is where slow history stops', signal(1), [...minutes.slice(0, 5), ...live], 0, [5]],
    ['does not exist in one bucket', signal(1), [0], 0, []],
  ] as const)('%s', (_, info, times, bucket, expected) => expect(gaps(series(1, [...times]), bucket, info)).toEqual(expected));
});

test('a hole interrupts the line, another series does not', () => {
  const [times, first, , , second] = columns([series(1, [0, 10_000, 20_000, 90_000]), series(2, [5000, 15_000], [1, null])], 1000, infos(signal(1, { max_gap_ms: 20 }), signal(2, { max_gap_ms: 20 })));
  expect(times).toEqual([0, 5, 10, 15, 20, 20.001, 90]);
  expect(first).toEqual([0, undefined, 10_000, undefined, 20_000, null, 90_000]);
  expect(second).toEqual([undefined, 1, undefined, null, undefined, undefined, undefined]);
});

test('nothing gives empty columns', () => expect(columns([], 0, new Map())).toEqual([[]]));

test('one pane per unit, one for each state, unknown signals in none', () => {
  const all = infos(signal(1), signal(2, { unit: 'Cel' }), signal(3), signal(4, { kind: 'state', unit: '' }));
  expect(panes([1, 2, 3, 4, 9], all).map((pane) => pane.signals)).toEqual([[1, 3], [2], [4]]);
});

test.each([[-1, -1], [0, 0], [9, 0], [10, 1], [99, 2]])('the bucket at %s', (us, idx) => expect(bucketAt(series(1, [0, 10, 20]), us)).toBe(idx));

describe('the window', () => {
  test('zooms around the pointer', () => expect(zoom({ fromUs: 0, toUs: 100e6 }, 0.5, 25e6)).toEqual({ fromUs: 12.5e6, toUs: 62.5e6 }));
  test('never closes', () => expect(zoom({ fromUs: 0, toUs: 1e6 }, 0.1, 0).toUs).toBe(1e6));
  test('moves', () => expect(pan({ fromUs: 0, toUs: 10 }, 5)).toEqual({ fromUs: 5, toUs: 15 }));
});

test('CSV quotes what must be quoted', () => {
  const trend: Trend = { from_us: 0, to_us: 1, bucket_us: 1, raw: true, series: [series(1, [0], [null])] };
  expect(csv(trend, infos(signal(1, { path: 'a,"b"' })))).toBe('path,unit,time,min,mean,max,first,last,count,bad\n"a,""b""",bar,1970-01-01T00:00:00.000Z,,,,,,1,0\n');
});

describe('when alarms rang', () => {
  const alarm = (id: number, since_us: number, state: Alarm['state'] = 'normal') => ({ id, title: `a${id}`, priority: 2, since_us, state }) as Alarm;
  const event = (time_us: number, to: string, one: Alarm) => ({ time_us, body: JSON.stringify({ to, alarm: one }) });
  test('from the record, newest first', () => {
    const one = alarm(1, 10);
    expect(ringings([event(50, 'rtn_unack', one), event(20, 'acked', one), event(10, 'unack', one)], [])).toEqual([{ id: 1, title: 'a1', priority: 2, fromUs: 10, toUs: 50 }]);
  });
  test('being shelved does not end it', () => {
    const one = alarm(1, 10);
    expect(ringings([event(10, 'unack', one), event(20, 'shelved', one), event(30, 'acked', one)], []).map((ringing) => [ringing.fromUs, ringing.toUs])).toEqual([[10, null]]);
  });
  test('one that began before the record', () => expect(ringings([], [alarm(2, 5, 'acked'), alarm(3, 6)]).map((one) => [one.id, one.toUs])).toEqual([[2, null]]));
});
