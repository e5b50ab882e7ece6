/* The console as a person uses it: one function a thing done. Finds things by role and by the few
 * test ids; knows nothing of drills or assertions. */
import { readFileSync } from 'node:fs';

const catalogue = (lang) => JSON.parse(readFileSync(new URL(`../../console/src/i18n/${lang}.json`, import.meta.url), 'utf8'));
const texts = { ja: catalogue('ja'), en: catalogue('en') };

export class Console {
  constructor(page, lang) {
    this.page = page;
    this.lang = lang;
  }
  t(key) {
    const text = texts[this.lang][key];
    if (text === undefined) throw new Error(`no text ${key}`);
    return text;
  }
  button(key, scope = this.page) {
    return scope.getByRole('button', { name: this.t(key), exact: true });
  }

  async signIn(user, password) {
    await this.page.getByLabel(this.t('signin.user')).fill(user);
    await this.page.getByLabel(this.t('signin.password')).fill(password);
    await this.button('signin.submit').click();
  }
  async changePassword(old, next) {
    await this.page.locator('input[name=old]').fill(old);
    await this.page.locator('input[name=new]').fill(next);
    await this.page.locator('input[name=again]').fill(next);
    await this.button('password.submit').click();
  }
  heading(key) {
    return this.page.getByRole('heading', { level: 1, name: this.t(key), exact: true });
  }
  async open(path, key) {
    await this.page.goto(path);
    if (key) await this.heading(key).waitFor();
    await this.settled();
  }
  /* By the menu, as a person does, without loading the page anew. */
  async go(key) {
    const menu = this.button('nav.open');
    if (await menu.isVisible()) await menu.click();
    await this.page.locator('#rail').getByRole('link', { name: this.t(key) }).click();
  }
  /* Nothing is loading any more. */
  async settled() {
    for (let tries = 0; tries < 200; tries++) {
      if ((await this.page.locator('.skeleton').count()) === 0) return;
      await this.page.waitForTimeout(100);
    }
    throw new Error(`still loading: ${this.page.url()}`);
  }

  drillButton() {
    return this.button('drill.button', this.page.locator('.drill'));
  }
  async startDrill() {
    await this.button('drill.start', this.page.locator('dialog')).click();
  }
  drillAlertLink() {
    return this.page.locator('.drill a[href^="/alerts/"]');
  }

  tree() {
    return this.page.getByRole('treegrid', { name: this.t('alert.tree') });
  }
  timeline() {
    return this.page.locator('ol.timeline > li');
  }
  /* Opens the question before an order and gives back its dialog. */
  async ask(kind) {
    await this.page.getByTestId(kind).click();
    const dialog = this.page.locator('dialog[open]');
    await dialog.waitFor();
    return dialog;
  }
  async confirm(kind) {
    await this.page.getByTestId('confirm-order').click();
    return this.page.locator(`[data-order="${kind}"]`).first();
  }
}
