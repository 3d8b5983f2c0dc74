import type { TourMesh } from '../mesh.ts';
import { ask } from '../request.ts';

/** What came of one thing that was tried. */
export interface Attempt {
  readonly what: string;
  readonly reached: boolean;
  /** Whether policy is to allow it for ever: what the support site does every day. */
  readonly everyDay: boolean;
}

const DENIED = 'RBAC: access denied';

/** What the support site's hole fetches: with the support site's identity, as it goes through its proxy. */
const THROUGH_THE_HOLE = Object.freeze([
  { what: 'users API', url: 'http://users:8080/users/8', everyDay: true },
  { what: 'fraud API', url: 'http://fraud:8080/scores/8', everyDay: false },
  { what: 'website', url: 'http://website:8080/', everyDay: false },
  { what: 'mobile site', url: 'http://mobile:8080/', everyDay: false },
]);

function fetched(body: string): { readonly status: number; readonly body: string } {
  try {
    const { upstream }: { upstream?: { stolen?: { status?: number; body?: unknown } } } = JSON.parse(body);
    const { status = 0, body: content } = upstream?.stolen ?? {};
    return { status, body: typeof content === 'string' ? content : JSON.stringify(content ?? '') };
  } catch {
    return { status: 0, body };
  }
}

/** Breaks into the support site and tries what can be reached from there; and the users API in plain text, from beside it. */
export async function breakIn(mesh: TourMesh): Promise<readonly Attempt[]> {
  const attempts: Attempt[] = [];
  for (const { what, url, everyDay } of THROUGH_THE_HOLE) {
    const answer = await ask(mesh.gateway, `/preview?url=${encodeURIComponent(url)}`, { host: 'support.shop.localhost' });
    const { status, body } = fetched(answer.body);
    attempts.push({ what, reached: answer.status === 200 && status > 0 && !body.includes(DENIED), everyDay });
  }
  const users = mesh.workloads.find(({ workload }) => workload === 'shop/users');
  const plain = await ask(`${users?.ip ?? ''}:8080`, '/users/9', { connection: 'close' });
  attempts.push({ what: 'users API in plain text', reached: plain.status === 200, everyDay: false });
  return attempts;
}

/** `reached users API, website; refused fraud API`. */
export function attemptsText(attempts: readonly Attempt[]): string {
  const named = (reached: boolean): string =>
    attempts
      .filter((attempt) => attempt.reached === reached)
      .map(({ what }) => what)
      .join(', ');
  return [
    ...(named(true) === '' ? [] : [`reached ${named(true)}`]),
    ...(named(false) === '' ? [] : [`refused: ${named(false)}`]),
  ].join('; ');
}
