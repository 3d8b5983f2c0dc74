// Mocha's spec output, then every skip by name, and last the line that tools read: `N passed, N failed, N skipped`.
import Mocha from 'mocha';

export default class GatehouseReporter extends Mocha.reporters.Spec {
  #skipped = [];

  constructor(runner, options) {
    super(runner, options);
    runner.on(Mocha.Runner.constants.EVENT_TEST_PENDING, (test) => this.#skipped.push(test.fullTitle()));
  }

  epilogue() {
    super.epilogue();
    for (const title of this.#skipped) console.log(`skipped: ${title}`);
    const { passes, failures } = this.stats;
    console.log(`${passes} passed, ${failures} failed, ${this.#skipped.length} skipped`);
  }
}
