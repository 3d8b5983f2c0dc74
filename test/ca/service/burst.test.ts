import { strict as assert } from 'node:assert';
import { X509Certificate } from 'node:crypto';
import type { ClientHttp2Session } from 'node:http2';
import { platform } from 'node:os';
import { fromBinary } from '@bufbuild/protobuf';
import { IstioCertificateResponseSchema } from '#gen/gatehouse/ca/v1/istio_ca_pb.js';
import { createCertificate, session } from '../../../bench/issuance/client.ts';
import { framedRequest } from '../../../bench/issuance/evidence.ts';
import type { Authority } from '../../../ca/authority.ts';
import { eventually } from '../../eventually.ts';
import { requestPem, testKey } from '../requests.ts';
import { account, type World, world } from '../world.ts';
import { type RunningService, serve } from './client.ts';

const WORKLOADS = 5000;
const ADDRESSES = 50;

interface Workload {
  readonly id: string;
  readonly message: Buffer;
  readonly token: string;
}

describe('ca/service: all workloads of a mesh at once', function () {
  this.timeout(120_000);
  let here: World;
  let authority: Authority;
  let service: RunningService;
  let sessions: ClientHttp2Session[] = [];
  /** Requests that reached the service; none is worked on before `letWork`. */
  let arrived: number;
  let letWork: () => void;

  before(function () {
    // Only Linux has all of 127.0.0.0/8.
    if (platform() !== 'linux') this.skip();
  });
  beforeEach(async () => {
    here = await world();
    authority = await here.open();
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    [arrived, letWork] = [0, open];
    service = await serve(here, authority, {
      limit: () => {
        arrived++;
        return 0;
      },
      authority: { issue: (request) => opened.then(() => authority.issue(request)) },
    });
    sessions = await Promise.all(Array.from({ length: ADDRESSES }, (_, host) => sessionFrom(host)));
  });
  afterEach(async () => {
    for (const one of sessions) one.destroy();
    service.close();
    await here.close();
  });

  function sessionFrom(host: number): Promise<ClientHttp2Session> {
    return session(service.port, authority.rootCertPem, `127.0.1.${host + 1}`);
  }

  async function workload(number: number): Promise<Workload> {
    const [namespace, name] = [`ns-${number % 7}`, `account-${number}`];
    const id = `spiffe://cluster.local/ns/${namespace}/sa/${name}`;
    const csr = requestPem({ key: testKey('P-256', String(number % 20)), uris: [id] });
    return { id, message: framedRequest(csr), token: await here.tokens.token({ sub: account(namespace, name) }) };
  }

  it(`${WORKLOADS.toLocaleString('en')}, each with a token of its own: every one gets its certificate`, async () => {
    const workloads = await Promise.all(Array.from({ length: WORKLOADS }, (_, number) => workload(number)));
    const all = Promise.all(
      workloads.map(({ message, token }, number) => {
        const over = sessions[number % ADDRESSES];
        assert.ok(over);
        return createCertificate(over, message, token);
      }),
    );
    await eventually('all are waiting', () => arrived === WORKLOADS || undefined);
    letWork();
    const answers = await all;
    const serials = new Set<string>();
    for (const [index, answer] of answers.entries()) {
      const [leaf = ''] = fromBinary(IstioCertificateResponseSchema, answer).certChain;
      const certificate = new X509Certificate(leaf);
      assert.equal(certificate.subjectAltName, `URI:${workloads[index]?.id}`);
      serials.add(certificate.serialNumber);
    }
    assert.equal(serials.size, WORKLOADS);
  });

  it('a machine that asks for 3,000 does not make the others wait', async () => {
    const greedy = 3000;
    const [one, ...others] = sessions;
    assert.ok(one);
    // A connection takes 1,000 calls at once; another costs a machine little.
    const its = [one, await sessionFrom(0), await sessionFrom(0)];
    sessions.push(...its.slice(1));
    const { message, token } = await workload(0);
    let [done, doneBefore] = [0, 0];
    const crowd = Array.from({ length: greedy }, async (_, number) => {
      await createCertificate(its[number % its.length] ?? one, message, token);
      done++;
    });
    await eventually('the many are waiting', () => arrived === greedy || undefined);
    const late = Promise.all(
      others.map(async (over, number) => {
        const mine = await workload(number + 1);
        await createCertificate(over, mine.message, mine.token);
        doneBefore = Math.max(doneBefore, done);
      }),
    );
    await eventually('the others are waiting', () => arrived === greedy + others.length || undefined);
    letWork();
    await late;
    assert.ok(doneBefore < greedy / 10, `${doneBefore} of ${greedy} came before the last of ${others.length} others`);
    await Promise.all(crowd);
  });
});
