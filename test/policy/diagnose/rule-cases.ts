import { DB, fromWeb, OPERATION, policy, PRINCIPAL, SOURCE, STRICT, toWeb, WEB, type Case } from './case.ts';

/** Rules and settings that do something else than they seem to. */
export const RULE_CASES: readonly Case[] = [
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
