import { describe, expect, test } from 'vitest';
import type { Alarm } from './api';
import { actions, byUrgency, calls, evidence, isIn, merge, rows } from './alarms';

const alarm = (id: number, changes: Partial<Alarm> = {}): Alarm => ({
  id, asset: 1, asset_path: 'm', rule: 'anomaly', title: 't', priority: 3, state: 'unack', latched: false, since_us: id, message: '', cause: '', consequence: '', response: '',
  minutes_to_respond: 10, contributions: [], diagnosis: [], first_out: false, seq: id, count: 1, unit: '', quality: 0, ...changes,
});

test('the unseen before the seen, then priority, then the newest', () => {
  const list = [alarm(1, { state: 'acked', priority: 1 }), alarm(2, { priority: 3 }), alarm(3, { priority: 2 }), alarm(4, { priority: 2 }), alarm(5, { state: 'rtn_unack', priority: 1 })];
  expect(list.sort(byUrgency).map((one) => one.id)).toEqual([4, 3, 2, 5, 1]);
});

test.each([
  ['active', {}, true, 'active'], ['gone, unseen', { state: 'rtn_unack' }, true, 'active'], ['normal', { state: 'normal' }, false, 'all'],
  ['shelved', { overlay: 'shelved' }, false, 'shelved'], ['out of service', { overlay: 'out_of_service' }, false, 'out_of_service'],
] as const)('%s', (_, changes, isCalling, view) => {
  expect(calls(alarm(1, changes))).toBe(isCalling);
  expect(isIn(view, alarm(1, changes))).toBe(true);
});

describe('a group', () => {
  const list = [alarm(1, { group: 7, first_out: true, priority: 2 }), alarm(2, { group: 7, priority: 1 }), alarm(3, { group: 7 }), alarm(4), alarm(5, { group: 9 })];
  test('is one row with its consequents folded', () => {
    expect(rows(list, new Set()).map((row) => [row.alarm.id, row.nConsequents])).toEqual([[1, 2], [5, 0], [4, 0]]);
  });
  test('opens below its first-out', () => {
    expect(rows(list, new Set([7])).map((row) => [row.alarm.id, row.isConsequent])).toEqual([[1, false], [2, true], [3, true], [5, false], [4, false]]);
  });
});

test.each([
  [{}, ['ack', 'shelve', 'out_of_service', 'comment']], [{ state: 'acked' }, ['shelve', 'out_of_service', 'comment']],
  [{ state: 'acked', overlay: 'shelved' }, ['unshelve', 'comment']], [{ state: 'normal', latched: true }, ['reset', 'shelve', 'out_of_service', 'comment']],
  [{ state: 'unack', overlay: 'out_of_service' }, ['ack', 'in_service', 'comment']],
] as const)('what may be done with %j', (changes, expected) => expect(actions(alarm(1, changes))).toEqual(expected));

test('the evidence is the own signal, else what speaks loudest', () => {
  const contributions = [3, 4, 5].map((signal) => ({ signal, name: '', share: 0, direction: 0 }));
  expect([evidence(alarm(1, { signal: 9, contributions })), evidence(alarm(1, { contributions }), 2)]).toEqual([[9], [3, 4]]);
});

test('news replace their older selves and never the newer', () => {
  const list = merge([alarm(1, { seq: 5 })], [alarm(1, { seq: 4, title: 'old' }), alarm(2), alarm(1, { seq: 6, title: 'new' })]);
  expect(list.map((one) => [one.id, one.title])).toEqual([[1, 'new'], [2, 't']]);
});
