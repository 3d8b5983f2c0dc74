// Mocha's spec output, then every skip by name, and last the line that tools read: `N passed, N failed, N skipped`.
// With GATEHOUSE_TEST_SUMMARY that goes to this file instead, for whoever adds up several parts of one run.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import Mocha from 'mocha';

export default class GatehouseReporter extends Mocha.reporters.Spec {
  #skipped = [];
  #failed = [];
  #seconds = {};
  #started = Date.now();

  constructor(runner, options) {
    super(runner, options);
    const { EVENT_TEST_PENDING, EVENT_TEST_FAIL, EVENT_SUITE_BEGIN, EVENT_SUITE_END } = Mocha.Runner.constants;
    runner.on(EVENT_TEST_PENDING, (test) => this.#skipped.push(test.fullTitle()));
    runner.on(EVENT_TEST_FAIL, (test) => this.#failed.push(test.fullTitle()));
    runner.on(EVENT_SUITE_BEGIN, (suite) => {
      if (suite.parent?.root) this.#started = Date.now();
    });
    // Suites below the root, so that hooks count too.
    runner.on(EVENT_SUITE_END, (suite) => {
      if (!suite.parent?.root) return;
      const file = relative(process.cwd(), suite.file ?? '');
      this.#seconds[file] = (this.#seconds[file] ?? 0) + (Date.now() - this.#started) / 1000;
    });
  }

  epilogue() {
    super.epilogue();
    const { passes: passed, failures: failed } = this.stats;
    const summary = process.env.GATEHOUSE_TEST_SUMMARY;
    if (summary !== undefined) {
      const parts = { passed, failed, failures: this.#failed, skipped: this.#skipped, seconds: this.#seconds };
      writeFileSync(summary, JSON.stringify(parts));
      return;
    }
    for (const title of this.#skipped) console.log(`skipped: ${title}`);
    console.log(`${passed} passed, ${failed} failed, ${this.#skipped.length} skipped`);
  }
}
