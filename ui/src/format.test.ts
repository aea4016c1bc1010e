import { describe, expect, test } from 'vitest';
import { bytes, duration, number, unit, verdict } from './format';
import { messages } from './messages';

describe('what a person reads', () => {
  test.each([[0, '0'], [1234.5, '1235'], [212.34, '212.3'], [3.14159, '3.14'], [0.01234, '0.012'], [Number.NaN, '–'], [null, '–']])(
    'number %s', (value, text) => expect(number(value)).toBe(text));
  test.each([[0, '0 s'], [99e6, '99 s'], [100e6, '2 min'], [7200e6, '2 h'], [3 * 86400e6, '3 d'], [-5, '0 s']])(
    'duration %s', (us, text) => expect(duration(us)).toBe(text));
  test.each([[999, '999 B'], [1500, '1.5 kB'], [9_263_672, '9.3 MB']])('bytes %s', (value, text) => expect(bytes(value)).toBe(text));
  test.each([[0, 'good'], [0x40930000, 'uncertain'], [0x803c0001, 'bad']])('quality %s', (code, text) => expect(verdict(code)).toBe(text));
  test('units are spelt as on the machine', () => expect([unit('Cel'), unit('bar')]).toEqual(['°C', 'bar']));
});

describe('every text exists in both languages', () => {
  test.each(Object.entries(messages))('%s', (_, [english, german]) => {
    expect(english.trim()).not.toBe('');
    expect(german.trim()).not.toBe('');
    const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
    expect(names(german)).toEqual(names(english));
  });
});
