// The journeys of a person in front of a running `fettler demo`: FETTLER_URL=… FETTLER_PASSWORD=… node tests/ui/e2e.mjs
import { axeSource, browser, logIn, screens, url } from './lib.mjs';

let passed = 0;
const failures = [];
async function check(name, f) {
  try {
    await f();
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failures.push(name);
    console.log(`FAILED  ${name}: ${String(error).split('\n').slice(0, 6).join(' | ')}`);
  }
}
function that(condition, message) {
  if (!condition) throw new Error(message);
}

const chromium = await browser();
const context = await chromium.newContext({ locale: 'en-GB', viewport: { width: 1360, height: 900 } });
const page = await context.newPage();
const complaints = [];
page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
page.on('pageerror', (error) => complaints.push(String(error)));
const ask = (path) => page.evaluate(async (path) => (await fetch(`/api/v1/${path}`)).json(), path);

await check('a wrong password is refused in words', async () => {
  await page.goto(url);
  await page.fill('input[name=password]', 'wrong');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[role=alert]');
  complaints.length = 0;
});
await check('log in', () => logIn(page));
// Being asked to log in is a 401, which the console of a browser always tells.
complaints.length = 0;
await check('machines are live', async () => {
  await page.waitForSelector('section.machine');
  const values = () => page.$$eval('section.machine .value', (all) => all.map((one) => one.textContent).join());
  const first = await values();
  for (let n = 0; n < 40 && (await values()) === first; n += 1) await page.waitForTimeout(250);
  that((await values()) !== first, 'no value moved in 10 s');
});
await check('the developing fault raises an alarm that says what to do', async () => {
  await page.waitForSelector('a.strip', { timeout: 150_000 });
  const text = await page.textContent('a.strip');
  that(/Bearing wear/.test(text) && /spindle02/.test(text) && /→ .{10}/.test(text), text);
});
await check('the alarm is acknowledged by keyboard', async () => {
  await page.keyboard.press('g');
  await page.keyboard.press('a');
  await page.waitForSelector('main table');
  await page.focus('main td button.link');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.detail button.primary');
  await page.focus('.detail button.primary');
  await page.keyboard.press('Enter');
  await page.waitForSelector('text=active, acknowledged');
  const { alarms } = await ask('alarms?view=active');
  that(alarms.some((alarm) => alarm.acked_by === 'admin'), 'the server does not know who acknowledged it');
});
await check('30 days of a signal draw, with their extremes', async () => {
  const { signals } = await ask('signals?q=spindle02&limit=50');
  const signal = signals.find((one) => one.name === 'spindle/temperature');
  const extent = await ask('extent');
  that(extent.to_us - extent.from_us > 29 * 86400e6, 'less than 29 days of history');
  await page.goto(`${url}/trends?signals=${signal.id}&from=${extent.from_us}&to=${extent.to_us}`);
  await page.waitForSelector('.uplot canvas');
  that((await page.textContent('.legend')).includes('spindle/temperature'), 'the signal is not named');
});
await check('SQL answers', async () => {
  await page.goto(`${url}/sql`);
  await page.fill('textarea', 'SELECT count(*) AS n FROM samples');
  await page.focus('textarea');
  await page.keyboard.press('Control+Enter');
  await page.waitForSelector('main tbody td');
  that(Number(await page.textContent('main tbody td')) > 3_000_000, 'the history is not there');
});
await check('the balance holds', async () => {
  await page.goto(`${url}/data`);
  await page.waitForSelector('text=The books balance.');
});
await check('German', async () => {
  await page.goto(url);
  await page.click('button[aria-label="DE Language"]');
  await page.waitForSelector('h1:has-text("Übersicht")');
  await page.click('button[aria-label="EN Sprache"]');
  await page.waitForSelector('h1:has-text("Overview")');
});
await check('the palette goes where it is told', async () => {
  await page.keyboard.press('Control+k');
  await page.keyboard.type('set');
  await page.keyboard.press('Enter');
  await page.waitForSelector('h1:has-text("Settings")');
});

const assets = await ask('assets');
const machine = assets.find((asset) => asset.name === 'spindle02');
for (const colorScheme of ['light', 'dark']) {
  for (const width of [1360, 390]) {
    const view = await (await chromium.newContext({ colorScheme, viewport: { width, height: 850 }, locale: 'en-GB', storageState: await context.storageState() })).newPage();
    for (const path of [...screens, `/assets/${machine.id}`]) {
      await check(`${path} ${colorScheme} ${width} px: axe finds nothing, nothing sticks out`, async () => {
        await view.goto(url + path);
        await view.waitForSelector('main h1');
        await view.waitForTimeout(600);
        await view.evaluate(axeSource);
        const { violations } = await view.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
        that(violations.length === 0, violations.map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 120)}`).join('; '));
        const over = await view.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        that(over <= 0, `${over} px too wide`);
      });
    }
    await view.context().close();
  }
}
await check('the console is quiet', () => that(complaints.length === 0, complaints.slice(0, 3).join('; ')));
await chromium.close();
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length > 0 ? 1 : 0);
