import assert from 'node:assert/strict';
import { pino } from 'pino';
import { clusterSecrets } from '../../../cli/agent/cluster-secrets.ts';
import type { ApiClient, ApiRequest } from '../../../kubernetes/api/client.ts';
import { ApiError } from '../../../kubernetes/api/api-error.ts';
import { WatchedSecrets } from '../../../kubernetes/secrets/watched-secrets.ts';
import { KubernetesSecrets } from '../../../sds/names/kubernetes-secrets.ts';
import { TestAuthority } from '../../audit/envoy/certificates.ts';
import { eventually } from '../../eventually.ts';

const silent = pino({ level: 'silent' });

/** A server with Secrets; those without data may not be read. Watches stay open and tell nothing. */
class FakeServer implements ApiClient {
  readonly access = { server: 'https://x', name: 'x', namespace: 'x', credentials: () => Promise.reject(new Error('none')) };
  readonly asked: string[] = [];
  readonly #secrets: Readonly<Record<string, Readonly<Record<string, string>> | 'forbidden' | 'absent'>>;
  readonly #slow = Promise.withResolvers<undefined>();
  readonly #slowName: string | undefined;

  constructor(secrets: FakeServer['secrets'], slow?: string) {
    this.#secrets = secrets;
    this.#slowName = slow;
  }

  get secrets(): Readonly<Record<string, Readonly<Record<string, string>> | 'forbidden' | 'absent'>> {
    return this.#secrets;
  }

  goOn(): void {
    this.#slow.resolve(undefined);
  }

  async request({ path }: ApiRequest): Promise<unknown> {
    const url = new URL(path, 'https://x');
    const [, namespace = ''] = /namespaces\/([^/]+)\/secrets$/.exec(url.pathname) ?? [];
    const name = (url.searchParams.get('fieldSelector') ?? '').replace('metadata.name=', '');
    this.asked.push(`${namespace}/${name}`);
    if (name === this.#slowName) await this.#slow.promise;
    const found = this.#secrets[`${namespace}/${name}`] ?? 'absent';
    if (found === 'forbidden') throw new ApiError(403, 'Forbidden', 'no');
    const data =
      found === 'absent'
        ? {}
        : Object.fromEntries(Object.entries(found).map(([key, text]) => [key, Buffer.from(text).toString('base64')]));
    const items = found === 'absent' ? [] : [{ metadata: { name, namespace, resourceVersion: '1' }, data }];
    return { metadata: { resourceVersion: '1' }, items };
  }

  async *stream({ signal }: { readonly signal: AbortSignal }): AsyncGenerator {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    yield* [];
  }

  close(): void {}
}

describe('Secrets of a cluster, by name', () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  function serving(server: FakeServer): KubernetesSecrets {
    const provider = new WatchedSecrets({ client: server, log: silent });
    const served = new KubernetesSecrets({ provider, namespace: 'edge', log: silent });
    ends.push(() => {
      served.close();
      provider.close();
    });
    return served;
  }

  it('asks for no Secret but those that are named, and for each once', async () => {
    const authority = await TestAuthority.create();
    const { cert, key } = await authority.issueForHost('a.test');
    const server = new FakeServer({ 'edge/a': { 'tls.crt': cert, 'tls.key': key }, 'edge/b': {} });
    const served = serving(server);
    assert.deepEqual(served.lookup('kubernetes://a'), { kind: 'pending' });
    await eventually('it is there', () => (served.lookup('kubernetes://a')?.kind === 'present' ? true : undefined));
    assert.deepEqual(server.asked, ['edge/a']);
    assert.equal(served.lookup('other'), undefined);
  });

  it('of another namespace: what RBAC refuses is not there at all', async () => {
    const authority = await TestAuthority.create();
    const { cert, key } = await authority.issueForHost('a.test');
    const served = serving(new FakeServer({ 'keys/mine': { 'tls.crt': cert, 'tls.key': key }, 'keys/theirs': 'forbidden' }));
    for (const name of ['mine', 'theirs']) served.lookup(`kubernetes://keys/${name}`);
    await eventually('one is there, the other is absent', () =>
      served.lookup('kubernetes://keys/mine')?.kind === 'present' && served.lookup('kubernetes://keys/theirs')?.kind === 'absent'
        ? true
        : undefined,
    );
  });

  it('authorities: those of the Secret itself wait until NAME-cacert is known not to be there', async () => {
    const [own, meant] = [await TestAuthority.create(), await TestAuthority.create()];
    const server = new FakeServer({ 'edge/a': { 'ca.crt': own.root }, 'edge/a-cacert': { 'ca.crt': meant.root } }, 'a-cacert');
    const served = serving(server);
    served.lookup('kubernetes://a-cacert');
    served.lookup('kubernetes://a');
    await eventually('the other was answered', () => (server.asked.includes('edge/a') ? true : undefined));
    assert.deepEqual(served.lookup('kubernetes://a-cacert'), { kind: 'pending' });
    server.goOn();
    await eventually('the right one', () => (served.lookup('kubernetes://a-cacert')?.kind === 'present' ? true : undefined));
    assert.deepEqual(server.asked, ['edge/a-cacert', 'edge/a']);
  });

  it('are for gateways of a Pod by themselves, for others when asked', async () => {
    const inPod = { KUBERNETES_SERVICE_HOST: '10.96.0.1' };
    assert.equal(await clusterSecrets({ pod: 'sidecar' }, silent, inPod), undefined);
    assert.equal(await clusterSecrets({ pod: 'router' }, silent, {}), undefined);
    // No token is mounted here: it serves without Secrets, and says so.
    const said: string[] = [];
    const log = pino({}, { write: (line: string) => void said.push(line) });
    assert.equal(await clusterSecrets({ pod: 'router' }, log, inPod), undefined);
    assert.match(said.join(''), /no access to the API server/);
    await assert.rejects(clusterSecrets({ kubernetesSecrets: true, kubeconfig: '/nonexistent' }, silent, {}), /cannot be read/);
  });
});
