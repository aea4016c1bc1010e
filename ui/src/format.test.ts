import { describe, expect, test } from 'vitest';
import { bytes, countdown, duration, isStale, number, percent, unit, verdict } from './format';

describe('what a person reads', () => {
  test.each([[0, '0'], [1234.5, '1,235'], [212.34, '212.3'], [3.14159, '3.14'], [0.01234, '0.012'], [0.0012, '0.00120'], [-42.5, '-42.50'], [2e10, '2.00e+10'], [Number.NaN, '–'], [null, '–']])(
    'number %s', (value, text) => expect(number(value, 'en')).toBe(text));
  test('a German comma', () => expect([number(3.14159, 'de'), number(1234.5, 'de')]).toEqual(['3,14', '1.235']));
  test.each([[0, '0 s'], [99e6, '99 s'], [100e6, '2 min'], [7200e6, '2 h'], [3 * 86400e6, '3 d'], [-5, '0 s']])(
    'duration %s', (us, text) => expect(duration(us)).toBe(text));
  test.each([[48e6, '0:48'], [61e6, '1:01'], [86_399e6, '23:59:59'], [-1, '0:00']])('countdown %s', (us, text) => expect(countdown(us)).toBe(text));
  test.each([[0, '0 %'], [0.0001, '< 0.1 %'], [0.052, '5.2 %'], [0.871, '87 %'], [0.998, '99.8 %'], [0.9999, '> 99.9 %'], [1, '100 %']])('share %s', (share, text) => expect(percent(share, 'en')).toBe(text));
  test.each([[999, '999 B'], [1500, '1.5 kB'], [9_263_672, '9.3 MB']])('bytes %s', (value, text) => expect(bytes(value, 'en')).toBe(text));
  test.each([[0, 'good'], [0x40930000, 'uncertain'], [0x803c0001, 'bad']])('quality %s', (code, text) => expect(verdict(code)).toBe(text));
  test('units are spelt as on the machine', () => expect([unit('Cel'), unit('bar')]).toEqual(['°C', 'bar']));
});

describe('a value is stale', () => {
  test.each([
    ['young', 14e6, 2, null, false], ['three times its period', 40e6, 0.1, null, true], ['slow, but in time', 25e6, 0.1, null, false],
    ['a declared gap counts', 50e6, 2, 60_000, false], ['never rated', 16e6, 0, null, true],
  ] as const)('%s', (_, ageUs, rate, gapMs, stale) => expect(isStale(ageUs, rate, gapMs)).toBe(stale));
});
