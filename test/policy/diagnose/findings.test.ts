import assert from 'node:assert/strict';
import { findings } from '../../../cli/input/findings.ts';
import type { Diagnostic, Severity } from '../../../mesh/model/diagnostic.ts';
import { loadMesh } from '../../../mesh/source/mesh.ts';
import { TestFolder } from '../../mesh/folder.ts';

/** shop/web serves HTTP on 8080 behind Service port 80, shop/db TCP on 5432; ops/admin may be anything. */
const MESH = `apiVersion: v1
kind: Namespace
metadata: {name: empty}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {serviceAccountName: web, containers: [{name: web, image: web, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: shop}
spec:
  template:
    metadata: {labels: {app: db}}
    spec: {serviceAccountName: db, containers: [{name: db, image: db, ports: [{containerPort: 5432}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {selector: {app: db}, ports: [{name: tcp-db, port: 5432}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: admin, namespace: ops}
spec:
  template:
    metadata: {labels: {app: admin}}
    spec: {serviceAccountName: admin, containers: [{name: admin, image: admin}]}
---
`;

const STRICT = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
---
`;

function policy(spec: string, name = 'p', namespace = 'shop'): string {
  const body = spec
    .trim()
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ${name}, namespace: ${namespace}}
spec:
${body}
---
`;
}

const WEB = 'selector: {matchLabels: {app: web}}';
const DB = 'selector: {matchLabels: {app: db}}';
const PRINCIPAL = 'cluster.local/ns/ops/sa/admin';

/** A rule for web with one operation or source, on lines of their own so that the line of the value is known. */
const toWeb = (list: string, action = 'ALLOW'): string =>
  policy(
    `action: ${action}\n${WEB}\nrules:\n- from: [{source: {principals: [${PRINCIPAL}]}}]\n  to:\n  - operation:\n      ${list}`,
  );
const fromWeb = (list: string, action = 'ALLOW'): string =>
  policy(`action: ${action}\n${WEB}\nrules:\n- from:\n  - source:\n      ${list}`);

interface Case {
  readonly title: string;
  readonly code: string;
  readonly input: string;
  readonly severity?: Severity;
  readonly field: string;
  readonly message: RegExp;
}

const OPERATION = 'spec.rules[0].to[0].operation';
const SOURCE = 'spec.rules[0].from[0].source';

const CASES: readonly Case[] = [
  {
    title: 'a method in lower case',
    code: 'unknown-method',
    input: STRICT + toWeb('methods: [POST, get]'),
    field: `${OPERATION}.methods[1]`,
    message: /"get": methods are compared with their case; it never matches/,
  },
  {
    title: 'a method that does not exist',
    code: 'unknown-method',
    input: STRICT + toWeb('notMethods: [FETCH]'),
    field: `${OPERATION}.notMethods[0]`,
    message: /"FETCH" is no HTTP method; it excludes nothing/,
  },
  {
    title: 'a regular expression for a path',
    code: 'regex-like-value',
    input: STRICT + toWeb('paths: ["/api/.*"]'),
    field: `${OPERATION}.paths[0]`,
    message: /matches paths that begin with "\/api\/\.", and no other/,
  },
  {
    title: 'an anchor',
    code: 'regex-like-value',
    input: STRICT + toWeb('paths: ["/ok", "^/api"]'),
    field: `${OPERATION}.paths[1]`,
    message: /"\^\/api" looks like a regular expression/,
  },
  {
    title: 'a wildcard in the middle',
    code: 'inner-wildcard',
    input: STRICT + toWeb('paths: ["/users/*/orders"]'),
    field: `${OPERATION}.paths[0]`,
    message: /has a "\*" that is compared as plain text/,
  },
  {
    title: 'a path without its slash',
    code: 'path-without-slash',
    input: STRICT + toWeb('paths: [admin]'),
    field: `${OPERATION}.paths[0]`,
    message: /"admin" does not begin with "\/".*never matches/,
  },
  {
    title: 'a path with a query',
    code: 'path-with-query',
    input: STRICT + toWeb('notPaths: ["/a?b=1"]', 'DENY'),
    field: `${OPERATION}.notPaths[0]`,
    message: /compared without them; it excludes nothing/,
  },
  {
    title: 'a path that normalisation takes away',
    code: 'path-never-seen',
    input: STRICT + toWeb('paths: ["/a/../b"]'),
    field: `${OPERATION}.paths[0]`,
    message: /resolved before; it never matches/,
  },
  {
    title: 'an address block with bits after its prefix',
    code: 'host-bits',
    input: STRICT + fromWeb('ipBlocks: [10.1.2.3/8]'),
    field: `${SOURCE}.ipBlocks[0]`,
    message: /all of 10\.0\.0\.0\/8 matches/,
  },
  {
    title: 'a foreign trust domain',
    code: 'unknown-trust-domain',
    input: STRICT + fromWeb('principals: [other.org/ns/a/sa/b]'),
    field: `${SOURCE}.principals[0]`,
    message: /proxies refuse the certificates of "other\.org"; it matches nobody/,
  },
  {
    title: 'an account that nobody has',
    code: 'unknown-account',
    input: STRICT + fromWeb('principals: [cluster.local/ns/ops/sa/nobody]'),
    field: `${SOURCE}.principals[0]`,
    message: /no workload of namespace ops runs as "nobody"/,
  },
  {
    title: 'a service account that nobody has',
    code: 'unknown-account',
    input: STRICT + fromWeb('notServiceAccounts: [ops/nobody]', 'DENY'),
    field: `${SOURCE}.notServiceAccounts[0]`,
    message: /runs as "nobody"; it excludes nobody/,
  },
  {
    title: 'a namespace that is not there',
    code: 'unknown-namespace',
    input: STRICT + fromWeb('namespaces: [ops, opps]'),
    field: `${SOURCE}.namespaces[1]`,
    message: /no namespace of this mesh is called "opps"; it matches nobody/,
  },
  {
    title: 'a namespace for a principal',
    code: 'no-principal',
    input: STRICT + fromWeb('principals: [ops]'),
    field: `${SOURCE}.principals[0]`,
    message: /"ops" is no principal/,
  },
  {
    title: 'a principal for a namespace',
    code: 'no-namespace-name',
    input: STRICT + fromWeb(`namespaces: [${PRINCIPAL}]`),
    field: `${SOURCE}.namespaces[0]`,
    message: /no namespace's name/,
  },
  {
    title: "the Service's port",
    code: 'service-port',
    input: STRICT + toWeb('ports: ["80"]'),
    field: `${OPERATION}.ports[0]`,
    message: /80 is the Service's port; policies see the workload's own, which is 8080 of shop\/web/,
  },
  {
    title: 'a port that is not there',
    code: 'unknown-port',
    severity: 'info',
    input: STRICT + toWeb('ports: ["9999"]'),
    field: `${OPERATION}.ports[0]`,
    message: /shop\/web names port 9999/,
  },
  {
    title: 'a host that is not there',
    code: 'unknown-host',
    severity: 'info',
    input: STRICT + toWeb('hosts: [web.shop, shop.example]'),
    field: `${OPERATION}.hosts[1]`,
    message: /"shop\.example" is no name of shop\/web/,
  },
  {
    title: 'ALLOW by method on a TCP port',
    code: 'http-field-on-tcp',
    input: STRICT + policy(`${DB}\nrules:\n- to:\n  - operation:\n      methods: [GET]`),
    field: `${OPERATION}.methods`,
    message:
      /on port 5432 \(tcp\) of shop\/db this ALLOW rule never matches: it asks for methods, and no other rule lets callers in/,
  },
  {
    title: 'DENY by path on a TCP port',
    code: 'http-field-on-tcp',
    input: STRICT + policy(`action: DENY\n${DB}\nrules:\n- to:\n  - operation:\n      paths: [/x]`),
    field: `${OPERATION}.paths`,
    message: /on port 5432 \(tcp\) of shop\/db this DENY rule denies every connection: paths cannot be seen there/,
  },
  {
    title: 'a namespace without workloads',
    code: 'selects-nothing',
    input: STRICT + policy('rules: [{}]', 'p', 'empty'),
    field: 'metadata.namespace',
    message: /namespace empty has no workload/,
  },
  {
    title: 'values that are all excluded',
    code: 'never-matches',
    input: STRICT + toWeb('{paths: ["/a/b"], notPaths: ["/a/*"]}'),
    field: 'spec.rules[0].to[0]',
    message: /of paths every value is also excluded by notPaths; this rule lets nobody in/,
  },
  {
    title: 'a principal of another namespace than asked for',
    code: 'never-matches',
    input: STRICT + fromWeb(`{namespaces: [shop], principals: [${PRINCIPAL}]}`),
    field: 'spec.rules[0].from[0]',
    message: /the principals are of namespace ops, and namespaces asks for shop/,
  },
  {
    title: 'an ALLOW rule behind a DENY rule',
    code: 'shadowed-by-deny',
    input:
      STRICT +
      toWeb('paths: ["/admin/users"]') +
      policy('action: DENY\nrules: [{to: [{operation: {paths: ["/admin*"]}}]}]', 'no-admin'),
    field: 'spec.rules[0]',
    message: /rule 0 of AuthorizationPolicy shop\/no-admin denies all that this rule allows/,
  },
  {
    title: 'a rule within another',
    code: 'shadowed-rule',
    severity: 'info',
    input: STRICT + policy(`${WEB}\nrules:\n- from: [{source: {namespaces: [ops]}}]\n- from: [{source: {namespaces: ["o*"]}}]`),
    field: 'spec.rules[0]',
    message: /rule 1 of this policy allows all that this rule allows/,
  },
  {
    title: 'nothing but a default denial',
    code: 'nobody-allowed',
    input: STRICT + policy('{}'),
    field: 'spec',
    message: /denies every request to shop\/db, shop\/web/,
  },
  {
    title: 'an empty rule',
    code: 'everybody-allowed',
    severity: 'info',
    input: STRICT + policy(`${WEB}\nrules: [{}]`),
    field: 'spec.rules[0]',
    message: /an empty rule allows every request to shop\/web/,
  },
  {
    title: 'DENY of all but some',
    code: 'denies-all-but',
    severity: 'info',
    input: STRICT + fromWeb(`notPrincipals: [${PRINCIPAL}]`, 'DENY'),
    field: `${SOURCE}.notPrincipals`,
    message: /calls in plain text included/,
  },
  {
    title: 'identities where mutual TLS is off',
    code: 'identity-without-mtls',
    input:
      `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: off, namespace: shop}\nspec: {mtls: {mode: DISABLE}}\n---\n` +
      fromWeb(`principals: [${PRINCIPAL}]`, 'DENY'),
    field: `${SOURCE}.principals`,
    message:
      /callers of shop\/web have no identity: PeerAuthentication shop\/off turns mutual TLS off on port 8080; principals never matches, so nobody is denied/,
  },
  {
    title: 'DENY by principal where plain text gets in',
    code: 'plain-text-steps-around',
    input: fromWeb(`principals: [${PRINCIPAL}]`, 'DENY'),
    field: `${SOURCE}.principals`,
    message: /shop\/web takes plain text \(PERMISSIVE\).*is not denied by principals/,
  },
  {
    title: 'ALLOW of all but some where plain text gets in',
    code: 'plain-text-let-in',
    input: fromWeb(`notPrincipals: [${PRINCIPAL}]`),
    field: `${SOURCE}.notPrincipals`,
    message: /it is let in/,
  },
  {
    title: 'ALLOW by principal where plain text gets in',
    code: 'plain-text-never-matches',
    severity: 'info',
    input: fromWeb(`principals: [${PRINCIPAL}]`),
    field: `${SOURCE}.principals`,
    message: /callers in plain text never match principals/,
  },
  {
    title: 'a token that nobody verifies',
    code: 'token-never-verified',
    input: STRICT + fromWeb('requestPrincipals: ["*"]'),
    field: `${SOURCE}.requestPrincipals`,
    message: /no RequestAuthentication applies to shop\/web: requestPrincipals never matches, so the rule lets nobody in/,
  },
  {
    title: 'a provider that is not there',
    code: 'no-such-provider',
    input: STRICT + policy(`action: CUSTOM\n${WEB}\nprovider:\n  name: opa\nrules: [{}]`),
    field: 'spec.provider.name',
    message: /the provider "opa" cannot be asked.*at shop\/web is denied/,
  },
  {
    title: 'a mode for a port that is not there',
    code: 'service-port',
    input: `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: p, namespace: shop}
spec:
  ${WEB}
  portLevelMtls:
    80: {mode: DISABLE}
`,
    field: 'spec.portLevelMtls["80"]',
    message: /80 is the Service's port.*8080/,
  },
  {
    title: 'two PeerAuthentications for the same workloads',
    code: 'same-level',
    input: `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: p, namespace: shop}
spec: {mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: a, namespace: shop}
spec: {mtls: {mode: PERMISSIVE}}
`,
    field: 'spec',
    message: /PeerAuthentication shop\/a is for the same workloads/,
  },
  {
    title: 'plain text toward STRICT',
    code: 'plain-text-to-strict',
    input: `${STRICT}apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: p, namespace: shop}
spec:
  host: web
  trafficPolicy:
    tls:
      mode: DISABLE
`,
    field: 'spec.trafficPolicy.tls.mode',
    message: /callers of web\.shop\.svc\.cluster\.local come in plain text, and shop\/web refuses it/,
  },
  {
    title: 'a selector in the root namespace',
    code: 'selector-in-root-namespace',
    input: `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: p, namespace: istio-system}
spec: {${WEB}, mtls: {mode: STRICT}}
`,
    field: 'spec.selector',
    message: /one with a selector selects nothing/,
  },
  {
    title: 'a caller without a proxy',
    code: 'caller-without-proxy',
    severity: 'info',
    input: `${STRICT}apiVersion: apps/v1
kind: Deployment
metadata: {name: p, namespace: ops}
spec:
  template:
    metadata: {labels: {app: old, sidecar.istio.io/inject: "false"}}
    spec: {containers: [{name: old, image: old}]}
`,
    field: 'spec.template.metadata',
    message: /calls in plain text, which .*shop\/web refuses? \(STRICT\)/,
  },
  {
    title: 'a probe that policy denies',
    code: 'probe-denied',
    input: `${policy('selector: {matchLabels: {app: probed}}\nrules: [{from: [{source: {namespaces: [ops]}}]}]')}apiVersion: apps/v1
kind: Deployment
metadata: {name: p, namespace: shop}
spec:
  template:
    metadata: {labels: {app: probed}, annotations: {sidecar.istio.io/rewriteAppHTTPProbers: "false"}}
    spec:
      containers:
      - name: app
        image: app
        ports: [{containerPort: 8000, name: http}]
        livenessProbe:
          httpGet: {path: /healthz, port: http}
`,
    field: 'spec.template.spec.containers[0].livenessProbe.httpGet',
    message: /the liveness probe GET \/healthz on port 8000 of shop\/p comes in plain text and is denied/,
  },
  {
    title: 'a scrape that policy denies',
    code: 'scrape-denied',
    input: `${policy('selector: {matchLabels: {app: scraped}}\nrules: [{from: [{source: {namespaces: [ops]}}]}]')}apiVersion: apps/v1
kind: Deployment
metadata: {name: p, namespace: shop}
spec:
  template:
    metadata:
      labels: {app: scraped}
      annotations: {prometheus.io/scrape: "true", prometheus.io/port: "8000", prometheus.istio.io/merge-metrics: "false"}
    spec: {containers: [{name: app, image: app, ports: [{containerPort: 8000}]}]}
`,
    field: 'spec.template.metadata.annotations',
    message: /GET \/metrics on port 8000 of shop\/p comes in plain text and is denied/,
  },
];

function found(text: string): { readonly all: readonly Diagnostic[]; readonly lines: readonly string[] } {
  const folder = new TestFolder();
  try {
    const file = folder.write('mesh.yaml', MESH + text);
    const { snapshot, written, diagnostics } = loadMesh({ paths: [file] });
    assert.deepEqual(
      diagnostics.filter(({ severity }) => severity === 'error'),
      [],
    );
    return { all: findings(snapshot, written, new Date()), lines: (MESH + text).split('\n') };
  } finally {
    folder.dispose();
  }
}

describe('what policies do not do', () => {
  for (const { title, code, input, severity = 'warning', field, message } of CASES) {
    it(`${title}: ${code}`, () => {
      const { all, lines } = found(input);
      const own = all.filter((one) => one.code === code && one.object?.endsWith('/p') === true);
      assert.equal(own.length, 1, JSON.stringify(all, undefined, 1));
      const [one] = own;
      assert.ok(one !== undefined);
      assert.equal(one.field, field);
      assert.equal(one.severity, severity);
      assert.match(one.message, message);
      // The line is that of the field itself: it holds the field's name, or is the list's item.
      const name = /\["(\d+)"\]$/.exec(field)?.[1] ?? /(\w+)(?:\[\d+\])?$/.exec(field)?.[1] ?? '';
      const line = lines[one.line - 1] ?? '';
      assert.ok(line.includes(name) || line.trim().startsWith('- '), `line ${one.line}: ${line}`);
    });
  }

  it('nothing is said of a mesh whose policies do what they say', () => {
    const { all } = found(
      STRICT +
        toWeb('{methods: [GET], paths: ["/a*", "/users/{*}"], ports: ["8080"], hosts: [web, "web.shop:80"]}') +
        policy(
          `${DB}\nrules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}], to: [{operation: {ports: ["5432"]}}]}]`,
          'db',
        ),
    );
    assert.deepEqual(all, []);
  });

  it('nothing is said to be missing from a fragment', () => {
    const folder = new TestFolder();
    try {
      const file = folder.write('p.yaml', fromWeb(`principals: [${PRINCIPAL}, cluster.local/ns/nowhere/sa/x]`) + STRICT);
      const { snapshot, written } = loadMesh({ paths: [file] });
      assert.deepEqual(findings(snapshot, written, new Date()), []);
    } finally {
      folder.dispose();
    }
  });
});
