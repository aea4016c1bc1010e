// Every screen in light, dark and at phone width: FETTLER_URL=… FETTLER_PASSWORD=… node tests/ui/screenshots.mjs FOLDER
import { mkdirSync } from 'node:fs';
import { browser, logIn, screens, url } from './lib.mjs';

const folder = process.argv[2] ?? 'screenshots';
mkdirSync(folder, { recursive: true });
const chromium = await browser();
const views = [
  ['light', { colorScheme: 'light', viewport: { width: 1360, height: 900 } }],
  ['dark', { colorScheme: 'dark', viewport: { width: 1360, height: 900 } }],
  ['phone', { colorScheme: 'light', viewport: { width: 390, height: 844 } }],
];
for (const [name, options] of views) {
  const page = await (await chromium.newContext({ ...options, locale: 'en-GB' })).newPage();
  await logIn(page);
  const me = await page.evaluate(async () => (await fetch('/api/v1/assets')).json());
  const machine = me.find((asset) => asset.worst_alarm) ?? me.find((asset) => asset.kind === 'machine');
  const signals = machine ? await page.evaluate(async (id) => (await (await fetch(`/api/v1/assets/${id}`)).json()).signals.map((signal) => signal.id), machine.id) : [];
  const alarms = await page.evaluate(async () => (await (await fetch('/api/v1/alarms?view=active')).json()).alarms);
  const all = [...screens.filter((path) => path !== '/trends' && path !== '/alarms'), `/assets/${machine?.id}`,
    `/trends?signals=${signals.slice(1, 4).join(',')}&span=86400000000`, alarms[0] ? `/alarms?id=${alarms[0].id}` : '/alarms'];
  for (const path of all) {
    await page.goto(url + path);
    if (path === '/sql') await page.click('button.primary');
    await page.waitForTimeout(1800);
    await page.screenshot({ path: `${folder}/${name}-${path.split('?')[0].slice(1).replace('/', '-') || 'overview'}.png` });
  }
}
await chromium.close();
