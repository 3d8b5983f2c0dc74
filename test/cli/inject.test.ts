import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { TestFolder } from '../mesh/folder.ts';

const MAIN = join(import.meta.dirname, '../../cli/main.ts');

const SHOP = `# the shop
apiVersion: v1
kind: Service
metadata: {name: cart} # inline
spec: {ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cart # our cart
spec:
  # by hand
  replicas: 2
  selector: {matchLabels: {app: cart}}
  template:
    metadata:
      labels: {app: cart} # keep
    spec:
      containers:
      # the application
      - name: cart
        image: cart:1 # pinned
        livenessProbe:
          httpGet: {path: /live, port: http}
        ports: [{name: http, containerPort: 8080}]
`;

function inject(args: readonly string[], input?: string) {
  const ran = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'inject', ...args], {
    encoding: 'utf8',
    ...(input === undefined ? {} : { input }),
  });
  return { status: ran.status, out: ran.stdout, err: ran.stderr };
}

describe('gatehouse inject', () => {
  let folder: TestFolder;
  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(() => folder.dispose());

  it('keeps comments, leaves other objects alone, and done twice is done once', () => {
    const first = inject(['-f', folder.write('shop.yaml', SHOP)]);
    assert.equal(first.status, 0, first.err);
    for (const comment of ['# the shop', '# inline', '# our cart', '# by hand', '# keep', '# the application', '# pinned'])
      assert.ok(first.out.includes(comment), `${comment} is lost`);
    const [service, deployment] = parseAllDocuments(first.out).map((one): unknown => one.toJS());
    assert.deepEqual(service, parseAllDocuments(SHOP)[0]?.toJS());
    assert.match(JSON.stringify(deployment), /"name":"istio-proxy"/);
    assert.match(JSON.stringify(deployment), /app-health\/cart\/livez/);
    const second = inject(['-f', '-'], first.out);
    assert.equal(second.out, first.out);
  });

  it('-o json prints one object that kubectl applies, with revision, image and control plane of the flags', () => {
    const file = folder.write('shop.yaml', SHOP);
    const ran = inject([
      '-f',
      file,
      '-o',
      'json',
      '--revision',
      'canary',
      '--image',
      'registry.test/proxy:7',
      '--control-plane',
      'gatehouse.mesh.svc:15012',
    ]);
    const list: { readonly kind: string; readonly items: readonly { readonly spec: { readonly template?: unknown } }[] } =
      JSON.parse(ran.out);
    assert.equal(list.kind, 'List');
    const text = JSON.stringify(list.items[1]?.spec.template);
    assert.match(text, /"istio.io\/rev":"canary"/);
    assert.match(text, /"image":"registry.test\/proxy:7"/);
    assert.match(text, /"value":"gatehouse.mesh.svc:15012"/);
  });

  it("takes what Istio's MeshConfig and Helm values say", () => {
    const mesh = folder.write(
      'mesh.yaml',
      'trustDomain: prod.example\ndefaultConfig: {holdApplicationUntilProxyStarts: true, concurrency: 3}\n',
    );
    const values = folder.write(
      'values.yaml',
      'global: {proxy: {logLevel: debug}, network: east}\npilot: {env: {ENABLE_NATIVE_SIDECARS: "false"}}\n',
    );
    const ran = inject(['-f', folder.write('shop.yaml', SHOP), '--mesh-config', mesh, '--values', values, '-o', 'json']);
    const list: {
      readonly items: readonly {
        readonly spec: {
          readonly template: {
            readonly spec: { readonly containers: readonly { readonly name: string; readonly args?: readonly string[] }[] };
          };
        };
      }[];
    } = JSON.parse(ran.out);
    const containers = list.items[1]?.spec.template.spec.containers ?? [];
    assert.deepEqual(
      containers.map(({ name }) => name),
      ['istio-proxy', 'cart'],
      'held back: the proxy comes first',
    );
    assert.ok(containers[0]?.args?.includes('--concurrency=3'));
    assert.ok(containers[0]?.args?.includes('--proxy-log-level=debug'));
    assert.match(JSON.stringify(containers), /"name":"TRUST_DOMAIN","value":"prod.example"/);
    assert.match(JSON.stringify(containers), /"name":"ISTIO_META_NETWORK","value":"east"/);
  });

  it('a pod that cannot be injected: the reason with its line, exit 1, and nothing on stdout', () => {
    const file = folder.write(
      'shop.yaml',
      SHOP.replace('labels: {app: cart} # keep', 'annotations: {traffic.sidecar.istio.io/excludeOutboundPorts: bad}'),
    );
    const { status, out, err } = inject(['-f', file]);
    assert.equal(status, 1);
    assert.equal(out, '');
    assert.match(
      err,
      /shop\.yaml:7: error: Deployment default\/cart: annotation traffic\.sidecar\.istio\.io\/excludeOutboundPorts "bad" is no port/,
    );
  });

  it('tells what it leaves as it is, and why', () => {
    const file = folder.write(
      'shop.yaml',
      SHOP.replace('labels: {app: cart} # keep', 'labels: {sidecar.istio.io/inject: "false"}'),
    );
    const { status, out, err } = inject(['-f', file]);
    assert.equal(status, 0);
    assert.match(err, /info: Deployment default\/cart: left as it is: the pod opts out/);
    assert.deepEqual(
      parse(out.split('---')[1] ?? ''),
      parse(SHOP.split('---')[1]?.replace('labels: {app: cart} # keep', 'labels: {sidecar.istio.io/inject: "false"}') ?? ''),
    );
  });

  it('broken YAML, a missing file and wrong usage', () => {
    const broken = inject(['-f', folder.write('broken.yaml', 'a: [')]);
    assert.equal(broken.status, 1);
    assert.match(broken.err, /broken\.yaml:\d+: error/);
    assert.equal(inject(['-f', folder.at('none.yaml')]).status, 1);
    assert.equal(inject([]).status, 2);
    assert.equal(inject(['-f', 'x', '-o', 'toml']).status, 2);
  });
});
