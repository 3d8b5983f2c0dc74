// Every step of a rotation is cut off after each of its writes; the next start must go on with one root that signs.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { parseTrustDomain } from '../../../ca/identity/trust-domain.ts';
import { folderAt } from '../../../ca/root/folder.ts';
import { NOBODY, openRotation, type Rotation } from '../../../ca/rotation/rotation.ts';
import { type Phase, signing } from '../../../ca/rotation/state.ts';
import { readRotation } from '../../../ca/rotation/file.ts';
import { withWrites } from './fallible-disk.ts';

const trustDomain = parseTrustDomain('crash.test');
const NOTHING = { count: 0, until: undefined, identities: [] };

function open(dir: string): Promise<Rotation> {
  assert.ok(trustDomain.ok);
  return openRotation({
    folder: folderAt(dir),
    trustDomain: trustDomain.value,
    clock: () => new Date(),
    log: pino({ level: 'silent' }),
    findInUse: () => Promise.resolve({ old: NOTHING, next: NOTHING }),
    settleMs: 0,
  });
}

type Step = 'prepare' | 'advance' | 'rollback';

async function take(rotation: Rotation, step: Step): Promise<void> {
  const done =
    step === 'prepare'
      ? rotation.prepare()
      : step === 'advance'
        ? rotation.advance(NOBODY, false)
        : rotation.rollback(NOBODY, false);
  const result = await done;
  assert.ok(result.ok, result.ok ? '' : result.reason);
}

const CASES: readonly { readonly path: readonly Step[]; readonly step: Step; readonly from: Phase; readonly to: Phase }[] = [
  { path: [], step: 'prepare', from: 'steady', to: 'prepared' },
  { path: ['prepare'], step: 'advance', from: 'prepared', to: 'active' },
  { path: ['prepare', 'advance'], step: 'advance', from: 'active', to: 'retiring' },
  { path: ['prepare', 'advance', 'advance'], step: 'advance', from: 'retiring', to: 'steady' },
  { path: ['prepare'], step: 'rollback', from: 'prepared', to: 'steady' },
  { path: ['prepare', 'advance'], step: 'rollback', from: 'active', to: 'prepared' },
  { path: ['prepare', 'advance', 'advance', 'advance'], step: 'prepare', from: 'steady', to: 'prepared' },
];

describe('a root rotation that is cut off', () => {
  let base: string;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'gatehouse-rotation-'));
  });
  afterEach(() => rmSync(base, { recursive: true, force: true }));

  for (const { path, step, from, to } of CASES) {
    it(`at any write of ${step} in ${from} (${String(path.length)} steps after the first root)`, async () => {
      const before = join(base, 'before');
      const rotation = await open(before);
      for (const earlier of path) await take(rotation, earlier);
      const signer = rotation.root().issuer.certificate.fingerprint256;
      await rotation.close();
      const seen = new Set<Phase>();
      for (let writes = 0; ; writes += 1) {
        const dir = join(base, String(writes));
        cpSync(before, dir, { recursive: true });
        const victim = await open(dir);
        const end = await withWrites(writes, () => take(victim, step));
        await victim.close();
        seen.add(await assertWhole(dir, { from, to, signer }));
        if (end === 'done') break;
      }
      assert.deepEqual([...seen].sort(), [...new Set([from, to])].sort());
    });
  }

  /** What must hold after a crash at any moment: it opens, it is in the phase before or after, files and state agree, and it can go on. */
  async function assertWhole(
    dir: string,
    { from, to, signer }: { readonly from: Phase; readonly to: Phase; readonly signer: string },
  ) {
    const rotation = await open(dir);
    const { phase, roots } = rotation.status();
    assert.ok(phase === from || phase === to, phase);
    const state = (await readRotation(dir))?.state;
    assert.equal(readFileSync(join(dir, 'root-cert.pem'), 'utf8'), rotation.rootsPem());
    assert.ok(roots.some(({ signs, trusted }) => signs && trusted));
    if (phase === from && from !== to) assert.equal(rotation.root().issuer.certificate.fingerprint256, signer);
    // Before anything was committed, an unfinished root may lie about until the next attempt: without rotation.json nothing is removed.
    const folders = state === undefined || !existsSync(join(dir, 'roots')) ? [] : readdirSync(join(dir, 'roots'));
    const needed = state === undefined ? [] : roots.map(({ generation }) => String(generation));
    assert.deepEqual(folders.filter((name) => name !== '0').sort(), needed.filter((name) => name !== '0').sort());
    if (state !== undefined && !needed.includes('0')) assert.ok(!existsSync(join(dir, 'ca-key.pem')), 'a revoked key is there');
    assert.ok(state === undefined || roots.some(({ generation }) => generation === signing(state)));
    await take(rotation, phase === 'steady' ? 'prepare' : 'advance');
    await rotation.close();
    return phase;
  }
});
