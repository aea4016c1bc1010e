/** How numbers, times and places are shown. Pure, so that a test can say what a person will read. */

const UNITS: Record<string, string> = {
  Cel: '°C', 'L/min': 'L/min', '/min': '1/min', 'm3/h': 'm³/h', 'N.m': 'N·m', 'mm/s': 'mm/s', '%': '%',
};

export function unit(code: string): string {
  return UNITS[code] ?? code;
}

/** Three to four significant digits are what a person reads off a gauge. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 1e6) return value.toExponential(2);
  const digits = size >= 1000 || size === 0 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 3;
  return value.toFixed(digits);
}

export function count(value: number, language: string): string {
  return new Intl.NumberFormat(language).format(value);
}

export function bytes(value: number): string {
  const steps = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = value;
  let step = 0;
  while (size >= 1000 && step < steps.length - 1) {
    size /= 1000;
    step += 1;
  }
  return `${size < 10 && step > 0 ? size.toFixed(1) : Math.round(size)} ${steps[step]}`;
}

/** Date and time in the viewer's zone; the date is left out for today. */
export function time(timeUs: number, nowUs: number, language: string): string {
  const date = new Date(timeUs / 1000);
  const today = new Date(nowUs / 1000).toDateString() === date.toDateString();
  const clock: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };
  const options = today ? clock : ({ day: '2-digit', month: 'short', ...clock } as const);
  return new Intl.DateTimeFormat(language, options).format(date);
}

/** `3 s`, `12 min`, `5 h`, `2 d`. */
export function duration(us: number): string {
  const seconds = Math.max(0, Math.round(us / 1e6));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

export type Verdict = 'good' | 'uncertain' | 'bad';

/** Severity of an OPC UA status code: its two topmost bits. */
export function verdict(quality: number): Verdict {
  const severity = quality >>> 30;
  return severity === 0 ? 'good' : severity === 1 ? 'uncertain' : 'bad';
}

/** Shape and number of a priority, so that color is never alone. */
export function glyph(priority: number): string {
  return ['', '▣', '▲', '◆', '●'][priority] ?? '●';
}
