import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { MAIN } from './running-serve.ts';

async function proxy(...args: readonly string[]): Promise<{ readonly code: number | null; readonly said: string }> {
  const child = spawn(process.execPath, [...MAIN, 'proxy', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [said] = await Promise.all([text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode, said };
}

describe('hooks of an injected pod', () => {
  let agent: Server;
  let port: string;
  let looks = 0;
  const asked: string[] = [];
  before(async () => {
    // Ready at the third look.
    agent = createServer((request, response) => {
      asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
      if (request.url === '/healthz/ready') looks += 1;
      response.writeHead(request.url === '/drain' || looks > 2 ? 200 : 503).end();
    }).listen(0, '127.0.0.1');
    await once(agent, 'listening');
    const address = agent.address();
    port = typeof address === 'object' && address !== null ? String(address.port) : assert.fail('no port');
  });
  after(() => agent.close());

  it('wait ends when the proxy is ready, and not before', async () => {
    assert.deepEqual(await proxy('wait', '--status-port', port), { code: 0, said: '' });
    assert.ok(looks > 2);
  });

  it('drain asks the agent of this pod', async () => {
    assert.deepEqual(await proxy('drain', '--status-port', port), { code: 0, said: '' });
    assert.equal(asked.at(-1), 'POST /drain');
  });

  it('both say when nobody answers, and what they were given wrongly', async () => {
    const waited = await proxy('wait', '--status-port', '1', '--timeout', '0.2');
    assert.equal(waited.code, 1);
    assert.match(waited.said, /not ready within 0\.2 s/);
    assert.equal((await proxy('drain', '--status-port', '1')).code, 1);
    assert.equal((await proxy('drain', '--status-port', 'x')).code, 2);
    assert.equal((await proxy('wait', '--timeout', 'x')).code, 2);
  });
});
