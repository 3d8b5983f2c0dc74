import type { TourMesh } from '../mesh.ts';
import { ask } from '../request.ts';

const PAUSE_MS = 100;
const VISITS = Object.freeze([
  ['website', '/'],
  ['mobile', '/'],
  ['mobile', '/account/3'],
  ['support', '/account/7'],
  ['rewards', '/account/5'],
] as const);

/** Customers of the shop, all day: what a rollout must not harm. */
export class Customers {
  served = 0;
  /** What failed, in words; the first few. */
  readonly failed: string[] = [];
  readonly #mesh: TourMesh;
  #over = false;
  #running: Promise<void> = Promise.resolve();

  constructor(mesh: TourMesh) {
    this.#mesh = mesh;
  }

  come(): void {
    this.#over = false;
    this.#running = this.#visit();
  }

  async leave(): Promise<void> {
    this.#over = true;
    await this.#running;
  }

  async #visit(): Promise<void> {
    while (!this.#over) {
      await Promise.all(
        VISITS.map(async ([site, path]) => {
          const { status, body } = await ask(this.#mesh.gateway, path, { host: `${site}.shop.localhost` });
          if (status === 200) this.served++;
          else if (this.failed.length < 5) this.failed.push(`${site}${path}: ${String(status)} ${body.slice(0, 80)}`);
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
