// Clients of other hands call for certificates and for other methods, as they come: none is told that the server has two ways of serving.
import { strict as assert } from 'node:assert';
import { X509Certificate } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Authority } from '../../../../ca/authority.ts';
import { eventually } from '../../../eventually.ts';
import { requestPem, testKey } from '../../requests.ts';
import { type World, world } from '../../world.ts';
import { ClientProcess, type Config, type Line, PROGRAMS, type Program, type Step } from './client-process.ts';
import { type Running, serveBoth, WORDS } from './server.ts';

const CART = 'spiffe://cluster.local/ns/shop/sa/cart';
const OK = { OK: 1 };
/** Those that can be kept from TLS 1.3. */
const LIMITS_TLS = ['grpc-go', 'grpc-js'];
/** Those that make calls again which the server did not process, also where the channel is told to retry none. */
const RETRIES_ANYHOW = ['grpc-go'];
/** Those that compress one call and not another. */
const COMPRESSES_CALLS = ['grpc-go', 'Python grpcio'];

for (const [language, program] of Object.entries(PROGRAMS))
  describe(`ca/service: ${language} calls`, function () {
    this.timeout(180_000);
    let found: Program;
    let here: World;
    let authority: Authority;
    let server: Running;
    const started: ClientProcess[] = [];

    before(async function () {
      found = program(this);
      here = await world();
      authority = await here.open();
    });
    beforeEach(async () => {
      server = await serveBoth(here, authority);
    });
    afterEach(() => {
      for (const client of started.splice(0)) client.kill();
      server.close();
    });
    after(() => here?.close());

    async function configuration(): Promise<Config> {
      return {
        address: `127.0.0.1:${server.port}`,
        serverName: 'gatehouse',
        roots: authority.rootCertPem,
        csr: requestPem({ uris: [CART] }),
        token: await here.tokens.token(),
        retries: true,
      };
    }

    async function start(steps: readonly Step[], config: Partial<Config> = {}): Promise<ClientProcess> {
      const client = new ClientProcess(found, { ...(await configuration()), ...config }, steps);
      started.push(client);
      return client;
    }

    async function run(steps: readonly Step[], config: Partial<Config> = {}): Promise<readonly Line['codes'][]> {
      const lines = await (await start(steps, config)).rest();
      return lines.map(({ codes }) => codes);
    }

    it('calls, then a stream on the same channel, then calls while it is open', async () => {
      const codes = await run(['calls:200:16', 'open', 'calls:32:16', 'close', 'call']);
      assert.deepEqual(codes, [{ OK: 200 }, OK, { OK: 32 }, OK, OK]);
      assert.deepEqual([server.seen.connections, server.protocols.length, server.seen.issued], [2, 1, 200]);
    });

    it('a stream amid calls on the same channel', async () => {
      const lines = await (await start(['call', '&calls:400:16', 'open', 'close'])).rest();
      const [asides, others] = [lines.filter(({ step }) => step.startsWith('calls')), lines.map(({ codes }) => codes)];
      assert.deepEqual([asides[0]?.codes, others.length], [{ OK: 400 }, 4]);
      assert.deepEqual(
        others.filter((codes) => codes?.['OK'] === 1),
        [OK, OK, OK],
      );
      assert.deepEqual([server.seen.connections, server.protocols.length], [2, 1]);
    });

    it('once it has called for more than certificates, it is with grpc-js when it comes again, whatever is first', async () => {
      assert.deepEqual(await run(['call', 'open', 'close']), [OK, OK, OK]);
      assert.deepEqual(await run(['call', 'open', 'close']), [OK, OK, OK]);
      assert.deepEqual([server.seen.connections, server.protocols.length, server.seen.issued], [3, 2, 1]);
    });

    const turnedOff = RETRIES_ANYHOW.includes(language) ? 'opens' : 'is refused';
    it(`a stream after calls, with retries turned off, ${turnedOff}`, async () => {
      const codes = await run(['calls:20:4', 'open'], { retries: false });
      assert.deepEqual(codes, [{ OK: 20 }, RETRIES_ANYHOW.includes(language) ? OK : { UNAVAILABLE: 1 }]);
    });

    it('a stream, then calls on the same channel', async () => {
      assert.deepEqual(await run(['open', 'calls:32:16', 'close', 'call']), [OK, { OK: 32 }, OK, OK]);
      assert.deepEqual([server.seen.connections, server.protocols.length, server.seen.issued], [1, 1, 0]);
    });

    const compresses = COMPRESSES_CALLS.includes(language) ? it : undefined;
    compresses?.('a compressed call on a channel of plain ones, which needs grpc-js', async () => {
      assert.deepEqual(await run(['call', 'gzip', 'call']), [OK, OK, OK]);
      assert.deepEqual([server.seen.connections, server.protocols.length, server.seen.issued], [2, 1, 1]);
    });

    it('a channel that waits for its first call longer than the server does for what it is', async () => {
      const client = await start(['connect', 'wait', 'calls:4:2', 'open', 'close']);
      await client.next();
      await client.next();
      // The client may be ready before it has acknowledged our settings, without which it would be given up.
      await eventually('the connection is given to grpc-js', () => {
        if (server.protocols.length === 0) server.look();
        return server.protocols.length === 1 ? true : undefined;
      });
      client.goOn();
      assert.deepEqual(
        (await client.rest()).map(({ codes }) => codes),
        [{ OK: 4 }, OK, OK],
      );
      assert.deepEqual([server.seen.connections, server.protocols.length], [1, 1]);
    });

    it('answers our pings while it has nothing to say', async () => {
      const client = await start(['call', 'wait', 'call']);
      await client.next();
      await client.next();
      // Twelve looks without a word, and it would be gone.
      for (let looks = 0; looks < 60; looks++) {
        server.look();
        await setTimeout(10);
      }
      client.goOn();
      assert.deepEqual((await client.rest())[0]?.codes, OK);
      assert.deepEqual([server.seen.connections, server.protocols.length, server.seen.issued], [1, 0, 2]);
    });

    it('its deadline and its cancelling reach the server, and its channel goes on', async () => {
      const client = await start(['call', 'deadline:200', 'call', 'cancel', 'call']);
      const codes = [];
      for (let step = 0; step < 3; step++) codes.push((await client.next()).codes);
      await eventually('a call to cancel', () => (server.seen.held === 2 ? true : undefined));
      client.goOn();
      codes.push(...(await client.rest()).map((line) => line.codes));
      assert.deepEqual(codes, [OK, { DEADLINE_EXCEEDED: 1 }, OK, { CANCELLED: 1 }, OK]);
      await eventually('both are given up', () => (server.seen.givenUp === 2 ? true : undefined));
      assert.equal(server.seen.connections, 1);
    });

    it('is told why it is refused, in whatever letters, and that a message is too large', async () => {
      const lines = await (await start(['token:refuse', 'large:100000', 'large:5000000', 'call'])).rest();
      assert.deepEqual(
        lines.map(({ codes, details }) => [codes, details]),
        [
          [{ PERMISSION_DENIED: 1 }, WORDS],
          [{ INVALID_ARGUMENT: 1 }, 'the message is too large or malformed'],
          [{ RESOURCE_EXHAUSTED: 1 }, lines[2]?.details],
          [OK, undefined],
        ],
      );
      assert.match(lines[2]?.details ?? '', /larger than max/);
      assert.deepEqual([server.seen.connections, server.protocols.length], [1, 0]);
    });

    for (const tls12 of LIMITS_TLS.includes(language) ? [false, true] : [false])
      it(`gets a certificate and renews it with that, ${tls12 ? 'over TLS 1.2' : 'over what TLS it likes'}`, async () => {
        const [first] = await (await start(['call'], { tls12 })).rest();
        const cert = first?.chain?.join('') ?? '';
        const key = testKey('P-256').export({ type: 'pkcs8', format: 'pem' }).toString();
        const { token: _, ...withoutToken } = await configuration();
        const renewal = new ClientProcess(found, { ...withoutToken, cert, key, tls12 }, ['call', 'open', 'call', 'close']);
        started.push(renewal);
        const [renewed, ...others] = await renewal.rest();
        assert.equal(new X509Certificate(renewed?.chain?.[0] ?? '').subjectAltName, `URI:${CART}`);
        assert.deepEqual(
          others.map(({ codes }) => codes),
          [OK, OK, OK],
        );
        assert.deepEqual([server.seen.connections, server.protocols.length, server.seen.issued], [3, 1, 2]);
        assert.deepEqual(server.protocols, [tls12 ? 'TLSv1.2' : 'TLSv1.3']);
      });

    it('loses no answer when the server ends in good order while it calls', async () => {
      let drained: Promise<void> | undefined;
      server.onIssued = () => {
        if (server.seen.issued === 100) drained = server.listener.drain();
      };
      const [codes] = await run(['until-error:16']);
      await drained;
      assert.deepEqual(codes, { OK: server.seen.issued, UNAVAILABLE: 16 });
    });
  });
