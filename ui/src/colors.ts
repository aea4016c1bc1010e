/** Colors of the stylesheet for canvases, which know neither variables nor light-dark(). */

/** Series beyond the sixth repeat the color with another dash. */
export const SERIES = ['--s1', '--s2', '--s3', '--s4', '--s5', '--s6'] as const;
const DASHES: (number[] | undefined)[] = [undefined, [6, 3], [2, 2], [8, 3, 2, 3]];

export function seriesVariable(slot: number): string {
  return SERIES[slot % SERIES.length]!;
}

/** Hues of one lightness differ little: every series of a pane also has its own dash. */
export function dash(slot: number): number[] | undefined {
  return DASHES[slot % DASHES.length];
}

export function resolved(variable: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${variable})`;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

export function withAlpha(color: string, alpha: number): string {
  // Browsers answer as rgb(1, 2, 3), or in a space of their own as lab(1 2 3).
  return color.includes(',') ? color.replace('rgb(', 'rgba(').replace(/\)$/, `, ${alpha})`) : color.replace(/\)$/, ` / ${alpha})`);
}
