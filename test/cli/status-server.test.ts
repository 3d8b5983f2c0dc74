import assert from 'node:assert/strict';
import fastify from 'fastify';
import { CaptureBusy } from '../../cli/serve/capture.ts';
import { captureRoutes } from '../../cli/serve/capture-routes.ts';
import { loopbackOnly } from '../../cli/serve/loopback-only.ts';
import { withoutSecrets } from '../../cli/serve/proxy-config.ts';

describe('routes for callers on the same machine', () => {
  const app = fastify();
  app.get('/', { onRequest: loopbackOnly }, () => 'here');
  for (const [remoteAddress, host, status] of [
    ['127.0.0.1', '127.0.0.1:15014', 200],
    ['127.0.0.1', 'localhost:15014', 200],
    ['::1', '[::1]:15014', 200],
    ['::ffff:127.0.0.1', '127.0.0.1', 200],
    ['10.0.0.7', '127.0.0.1:15014', 403],
    ['::ffff:10.0.0.7', 'localhost', 403],
    ['127.0.0.1', 'attacker.example:15014', 403],
    ['127.0.0.1', '127.0.0.1.attacker.example', 403],
  ] as const) {
    it(`${remoteAddress} asking for ${host}: ${status}`, async () => {
      const reply = await app.inject({ method: 'GET', url: '/', remoteAddress, headers: { host } });
      assert.equal(reply.statusCode, status);
    });
  }
});

describe('captures', () => {
  const taking = (capture: Parameters<typeof captureRoutes>[1]) => {
    const app = fastify();
    captureRoutes(app, capture);
    return (url: string, remoteAddress = '127.0.0.1') =>
      app.inject({ method: 'POST', url, remoteAddress, headers: { host: 'localhost' } });
  };
  const file = { cpu: (seconds: number) => Promise.resolve(`cpu ${seconds}`), heap: () => Promise.resolve('heap') };

  it('are off unless a flag allows them', async () => {
    const reply = await taking(undefined)('/debug/heap');
    assert.equal(reply.statusCode, 403);
    assert.match(reply.body, /--allow-captures/);
  });

  it('are for this machine only', async () => {
    assert.equal((await taking(file)('/debug/heap', '10.0.0.7')).statusCode, 403);
    assert.equal((await taking(file)('/debug/profile?seconds=1', '10.0.0.7')).statusCode, 403);
  });

  it('take from more than 0 to 300 seconds', async () => {
    const post = taking(file);
    for (const [seconds, status] of [
      ['30', 200],
      ['0', 400],
      ['301', 400],
      ['soon', 400],
    ] as const)
      assert.equal((await post(`/debug/profile?seconds=${seconds}`)).statusCode, status, seconds);
    assert.deepEqual((await post('/debug/profile?seconds=30')).json(), { file: 'cpu 30' });
  });

  it('are taken one at a time', async () => {
    const busy = taking({ ...file, heap: () => Promise.reject(new CaptureBusy('another is under way')) });
    assert.equal((await busy('/debug/heap')).statusCode, 409);
  });
});

describe('configuration that is shown', () => {
  it('has no keys, passwords or credentials in headers', () => {
    const shown = withoutSecrets({
      tls: { certificate: { inlineString: 'public' }, privateKey: { inlineString: 'k' }, password: { inlineString: 'p' } },
      headers: [
        { header: { key: 'authorization', value: 'Bearer t' } },
        { header: { key: 'X-Api-Key', rawValue: 'dA==' } },
        { header: { key: 'x-version', value: '2' } },
      ],
    });
    assert.deepEqual(shown, {
      tls: { certificate: { inlineString: 'public' }, privateKey: '[not shown]', password: '[not shown]' },
      headers: [
        { header: { key: 'authorization', value: '[not shown]' } },
        { header: { key: 'X-Api-Key', rawValue: '[not shown]' } },
        { header: { key: 'x-version', value: '2' } },
      ],
    });
  });
});
