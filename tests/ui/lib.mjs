// What the browser tests share: a Chromium that is already logged in.
import { createRequire } from 'node:module';
import { existsSync, readFileSync } from 'node:fs';

const require = createRequire(new URL('../../ui/package.json', import.meta.url));
export const { chromium: playwright } = require('playwright-core');

export const url = process.env.FETTLER_URL ?? 'http://127.0.0.1:8080';
export const user = process.env.FETTLER_USER ?? 'admin';
export const password = process.env.FETTLER_PASSWORD ?? '';
export const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/** Every screen that has an address of its own. */
export const screens = ['/', '/alarms', '/performance', '/losses', '/trends', '/assets', '/data', '/data?tab=quality', '/data?tab=inbox', '/sql', '/settings',
  '/settings?tab=shifts', '/settings?tab=rules', '/settings?tab=notifications', '/settings?tab=users', '/settings?tab=tokens', '/settings?tab=account'];

/** Chromium of the distribution. */
export function executable() {
  const path = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
  if (!path) throw new Error('Chromium is needed: apt-get install chromium');
  return path;
}

export const browser = () => playwright.launch({ executablePath: executable(), args: ['--no-sandbox', '--disable-dev-shm-usage'] });

export async function logIn(page) {
  await page.goto(url);
  await page.fill('input[name=user]', user);
  await page.fill('input[name=password]', password);
  await page.keyboard.press('Enter');
  await page.waitForSelector('header nav');
}

/** Asks the server what the page may ask. */
export const ask = (page, path) => page.evaluate(async (path) => (await fetch(`/api/v1/${path}`)).json(), path);

/** The screens of the plant as it is now: a machine that rings if there is one, its signals, its alarm. */
export async function plantScreens(page) {
  const assets = await ask(page, 'assets');
  const machine = assets.find((asset) => asset.worst_alarm) ?? assets.find((asset) => asset.n_signals > 0);
  if (!machine) return [];
  const { signals } = await ask(page, `assets/${machine.id}`);
  const { alarms } = await ask(page, 'alarms?view=all');
  const gauges = signals.filter((signal) => signal.kind === 'gauge').slice(0, 3).map((signal) => signal.id);
  const state = signals.filter((signal) => signal.kind === 'state').map((signal) => signal.id);
  return [
    `/assets/${machine.id}`, `/trends?signals=${gauges.join(',')}&last=8h`, `/trends?signals=${[gauges[0], ...state].join(',')}&last=1d&table=1`,
    ...(alarms[0] ? [`/alarms/${alarms[0].id}?view=all`] : []),
    `/sql?q=${encodeURIComponent("SELECT asset_path, name, avg(value) AS mean, count(*) AS n FROM readings WHERE time > now() - INTERVAL '1 hour' GROUP BY asset_path, name ORDER BY 1, 2")}`,
  ];
}

/** Until the screen has what it asked for. */
export async function settled(page) {
  await page.waitForSelector('main h1');
  await page.waitForLoadState('load');
  await page.waitForFunction(() => !document.querySelector('main .loading'), null, { timeout: 15_000 });
  await page.waitForTimeout(350);
}
