// Every screen in light, dark, German and at phone width: FETTLER_URL=… FETTLER_PASSWORD=… node tests/ui/screenshots.mjs FOLDER [PART OF A NAME]
import { mkdirSync } from 'node:fs';
import { browser, logIn, plantScreens, screens, settled, url } from './lib.mjs';

const [folder = 'screenshots', only = ''] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const chromium = await browser();
const views = [
  ['light', { colorScheme: 'light', locale: 'en-GB', viewport: { width: 1440, height: 900 } }],
  ['dark', { colorScheme: 'dark', locale: 'de-DE', viewport: { width: 1440, height: 900 } }],
  ['phone', { colorScheme: 'light', locale: 'en-GB', viewport: { width: 360, height: 780 }, hasTouch: true }],
];
for (const [view, options] of views) {
  const context = await chromium.newContext(options);
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForSelector('input[name=password]');
  await page.screenshot({ path: `${folder}/${view}-login.png` });
  await logIn(page);
  for (const path of [...screens, ...(await plantScreens(page))]) {
    const name = `${view}-${path.replace(/[?&]q=.*/, '-answer').replace(/[?&=/]+/g, '-').replace(/^-/, '').replace(/[^\w-]/g, '_').slice(0, 40) || 'overview'}`;
    if (!name.includes(only)) continue;
    await page.goto(url + path);
    await settled(page);
    await page.waitForTimeout(700);
    await page.screenshot({ path: `${folder}/${name}.png`, fullPage: view === 'phone' });
    console.log(name);
  }
  await context.close();
}
await chromium.close();
