/** How numbers, times and qualities are written. Pure, so that a test can say what a person will read. */

const UNITS: Record<string, string> = { Cel: '°C', '/min': '1/min', 'm3/h': 'm³/h', 'N.m': 'N·m', 'm/s2': 'm/s²' };

/** The UCUM code as it stands on the machine's own display. */
export function unit(code: string): string {
  return UNITS[code] ?? code;
}

const formatters = new Map<string, Intl.NumberFormat>();

function fixed(value: number, digits: number, language: string): string {
  const key = `${language}:${digits}`;
  let formatter = formatters.get(key);
  if (!formatter) {
    formatter = new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
    formatters.set(key, formatter);
  }
  return formatter.format(value);
}

/** Three to four significant digits are what a person reads off a gauge; `–` for what is not a number. */
export function number(value: number | null | undefined, language: string): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 1e9 || (size > 0 && size < 1e-4)) return value.toExponential(2);
  const digits = size >= 1000 || size === 0 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : size >= 0.01 ? 3 : 5;
  return fixed(value, digits, language);
}

/** A number somebody chose, such as a target: as many digits as it has, at most two behind the point. */
export function plain(value: number, language: string): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: 2 }).format(value);
}

export function count(value: number, language: string): string {
  return fixed(value, 0, language);
}

/** `share` 0–1 as `12 %`; a digit more near both ends, so that something never reads as nothing, nor nearly as all. */
export function percent(share: number, language: string): string {
  const value = share * 100;
  if (value > 0 && value < 0.05) return `< ${fixed(0.1, 1, language)} %`;
  if (value > 99.95 && value < 100) return `> ${fixed(99.9, 1, language)} %`;
  const isNearEnd = (value > 0 && value < 10) || (value >= 99 && value < 100);
  return `${fixed(value, isNearEnd ? 1 : 0, language)} %`;
}

export function bytes(value: number, language: string): string {
  const steps = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = value;
  let step = 0;
  while (size >= 1000 && step < steps.length - 1) {
    size /= 1000;
    step += 1;
  }
  return `${fixed(size, size < 10 && step > 0 ? 1 : 0, language)} ${steps[step]}`;
}

const TIME: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };

/** The time of day in the viewer's zone; with the date when it is not today. */
export function clock(timeUs: number, nowUs: number, language: string): string {
  const date = new Date(timeUs / 1000);
  const isToday = new Date(nowUs / 1000).toDateString() === date.toDateString();
  const options = isToday ? TIME : ({ day: '2-digit', month: 'short', ...TIME } as const);
  return new Intl.DateTimeFormat(language, options).format(date);
}

/** Date, time and zone: for titles and evidence, where nothing may be left to guessing. */
export function moment(timeUs: number, language: string): string {
  const options = { year: 'numeric', month: 'short', day: '2-digit', ...TIME, timeZoneName: 'short' } as const;
  return new Intl.DateTimeFormat(language, options).format(new Date(timeUs / 1000));
}

/** `3 s`, `12 min`, `5 h`, `2 d`: the largest unit that says enough. */
export function duration(us: number): string {
  const seconds = Math.max(0, Math.round(us / 1e6));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/** `0:48` or `23:59:07`: time that runs out is read as a clock. */
export function countdown(us: number): string {
  const seconds = Math.max(0, Math.floor(us / 1e6));
  const two = (part: number) => String(part).padStart(2, '0');
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

export type Verdict = 'good' | 'uncertain' | 'bad';

/** Severity of an OPC UA status code: its two topmost bits. */
export function verdict(quality: number): Verdict {
  const severity = quality >>> 30;
  return severity === 0 ? 'good' : severity === 1 ? 'uncertain' : 'bad';
}

/** Whether a value is too old to be believed: three times what its rate or its declared gap allows, at least 15 s. */
export function isStale(ageUs: number, ratePerS: number, maxGapMs: number | null | undefined): boolean {
  const expectedUs = Math.max(maxGapMs ? maxGapMs * 1000 : 0, ratePerS > 0 ? 1e6 / ratePerS : 0);
  return ageUs > Math.max(15e6, 3 * expectedUs);
}
