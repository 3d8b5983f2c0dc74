import { strict as assert } from 'node:assert';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { joinTokenFolder } from '../../../ca/authenticate/join-token-folder.ts';
import { joinTokenVerifier } from '../../../ca/authenticate/join-token-verifier.ts';
import { hashOfJoinToken, newJoinToken } from '../../../ca/authenticate/join-token.ts';
import { workloadSpiffeId } from '../../../ca/identity/spiffe-id.ts';
import { TD, temporaryFolder } from '../../ca/world.ts';
import { mutate } from '../mutate.ts';
import { oneOf } from '../random.ts';
import type { Target } from '../target.ts';

/** Join tokens: good, used and expired ones, and what is like them. */
export async function joinTokenTarget(): Promise<Target> {
  const temporary = temporaryFolder();
  const store = joinTokenFolder(join(temporary.path, 'join-tokens'));
  const verify = joinTokenVerifier({ store, trustDomain: TD, clock: () => new Date() });
  const made = async (ttlMs: number) => {
    const token = newJoinToken(randomBytes);
    const hash = hashOfJoinToken(token);
    assert.ok(hash !== undefined);
    const now = Date.now();
    await store.create({
      hash,
      identity: workloadSpiffeId(TD, 'vm', 'db'),
      created: new Date(now),
      expires: new Date(now + ttlMs),
    });
    return { token, hash };
  };
  const [good, used, expired] = [await made(3_600_000), await made(3_600_000), await made(-1)];
  await store.use(used.hash);
  const tokens = [good, used, expired].map(({ token }) => token);
  const seeds = [...tokens, `${used.hash}.used`, '../../etc/passwd', `ghjoin_${'A'.repeat(43)}`].map((text) => Buffer.from(text));
  return {
    name: 'join-token',
    async run(random, told) {
      const token = random() < 0.05 ? oneOf(random, tokens) : mutate(seeds, random).toString('latin1');
      told(token);
      const caller = await verify(token);
      assert.equal(caller.ok, token === good.token, JSON.stringify(token));
      if (!caller.ok) assert.ok(!('unavailable' in caller), caller.reason);
      return caller.ok ? 'accepted' : 'refused';
    },
    close: () => Promise.resolve(temporary.remove()),
  };
}
