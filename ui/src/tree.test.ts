import { expect, test } from 'vitest';
import type { Asset } from './api';
import { treeRows } from './tree';

const asset = (id: number, parent: number | null, path: string): Asset => ({ id, parent, name: path.split('/').at(-1)!, path, kind: 'machine', n_signals: 0 });
const plant = [asset(3, 2, 'a/l/press10'), asset(1, null, 'a'), asset(2, 1, 'a/l'), asset(4, 2, 'a/l/press2'), asset(5, 99, 'lost')];
const shown = (closed: number[], search: string) => treeRows(plant, new Set(closed), search).map((row) => `${'.'.repeat(row.depth)}${row.asset.name}`);

test('parents first, children by number', () => expect(shown([], '')).toEqual(['a', '.l', '..press2', '..press10', 'lost']));
test('a closed place hides what is below', () => expect(shown([2], '')).toEqual(['a', '.l', 'lost']));
test('a search opens the way to what fits', () => expect(shown([1, 2], 'press2')).toEqual(['a', '.l', '..press2']));
test('an empty plant', () => expect(treeRows([], new Set(), '')).toEqual([]));
