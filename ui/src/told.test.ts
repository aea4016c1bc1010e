import { describe, expect, test } from 'vitest';
import { german } from './library.de';
import { germanOf } from './told';

const types = import.meta.glob<string>('../../crates/metastore/src/library/*.toml', { query: '?raw', import: 'default', eager: true });
const detectors = import.meta.glob<string>('../../crates/ingest/src/detect/words.rs', { query: '?raw', import: 'default', eager: true });
const texts = Object.values(types).flatMap((text) => [...text.matchAll(/^(?:title|cause|consequence|response) = "(.*)"$/gm)].map((match) => match[1]!));

describe('every text of the library of machine types has a German one', () => {
  test.each([...new Set(texts)])('%s', (text) => expect(german[text]).toBeTruthy());
  test('there are many', () => expect(texts.length).toBeGreaterThan(150));
});

test('no German text is left over', () => {
  const said = Object.values(detectors).join('') + texts.join('\n');
  expect(Object.keys(german).filter((text) => !said.includes(text))).toEqual([]);
});

test.each([
  ['pump/pressure high', 'pump/pressure zu hoch'],
  ['pump/pressure is low: 3.1 < 4 bar', 'pump/pressure ist zu niedrig: 3.1 < 4 bar'],
  ['nothing heard of press01 for 75 s', 'seit 75 s nichts von press01 gehört'],
  ['oil/temperature high (+4.2 σ), oil/flow low (-3.1 σ)', 'oil/temperature hoch (+4.2 σ), oil/flow niedrig (-3.1 σ)'],
  ['Unusual behavior', 'Ungewöhnliches Verhalten'],
  ['Written by hand', 'Written by hand'],
])('%s', (english, expected) => expect(germanOf(english, german)).toBe(expected));
