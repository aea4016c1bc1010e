// What the browser tests share: a Chromium that is already logged in.
import { createRequire } from 'node:module';
import { existsSync, readFileSync } from 'node:fs';

const require = createRequire(new URL('../../ui/package.json', import.meta.url));
const { chromium } = require('playwright-core');

export const url = process.env.FETTLER_URL ?? 'http://127.0.0.1:8080';
export const user = process.env.FETTLER_USER ?? 'admin';
export const password = process.env.FETTLER_PASSWORD ?? '';
export const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
export const screens = ['/', '/alarms', '/trends', '/assets', '/data', '/sql', '/settings'];

export async function browser() {
  const path = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
  if (!path) throw new Error('Chromium is needed: apt-get install chromium');
  return chromium.launch({ executablePath: path, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

export async function logIn(page) {
  await page.goto(url);
  await page.fill('input[name=user]', user);
  await page.fill('input[name=password]', password);
  await page.keyboard.press('Enter');
  await page.waitForSelector('header nav');
}
