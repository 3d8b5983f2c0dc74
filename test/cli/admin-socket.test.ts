import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { askControlPlane, refusalText } from '../../cli/serve/admin-client.ts';
import { type AdminSocket, adminSocketPath, startAdminSocket } from '../../cli/serve/admin-socket.ts';

describe('the admin socket', () => {
  let dir: string;
  let socket: AdminSocket | undefined;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-admin-'));
  });
  afterEach(async () => {
    await socket?.close();
    socket = undefined;
    rmSync(dir, { recursive: true });
  });

  const start = async () => {
    socket = await startAdminSocket(
      dir,
      [
        (app) => app.get('/state', () => ({ state: 'steady' })),
        (app) =>
          app.post('/order', (request, reply) => reply.code(409).send({ error: `not now: ${JSON.stringify(request.body)}` })),
      ],
      pino({ level: 'silent' }),
    );
  };

  it('takes questions and orders, and only from its owner', async () => {
    await start();
    assert.equal(statSync(adminSocketPath(dir)).mode & 0o777, 0o600);
    assert.deepEqual(await askControlPlane(dir, 'GET', '/state'), { kind: 'answer', status: 200, body: { state: 'steady' } });
    const refused = await askControlPlane(dir, 'POST', '/order', { what: 1 });
    assert.ok(refused.kind === 'answer' && refused.status === 409);
    assert.equal(refusalText(refused.body), 'not now: {"what":1}');
  });

  it('takes the place of the socket of a process that was killed', async () => {
    writeFileSync(adminSocketPath(dir), '');
    await start();
    assert.equal((await askControlPlane(dir, 'GET', '/state')).kind, 'answer');
  });

  it('says what to start when nobody listens', async () => {
    const answer = await askControlPlane(dir, 'GET', '/state');
    assert.ok(answer.kind === 'away');
    assert.match(answer.reason, /start gatehouse serve with --ca-dir/);
  });
});
