/** Specs in which every field of Istio's kinds stands somewhere; of fields that exclude each other, one in each. All of them are valid. */
export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  VirtualService: [
    `
hosts: [web]
gateways: [mesh, default/edge]
exportTo: ["."]
http:
- name: first
  match:
  - name: by-path
    uri: {prefix: /a}
    ignoreUriCase: true
    scheme: {exact: http}
    method: {exact: GET}
    authority: {exact: web}
    headers: {x-a: {exact: a}, x-b: {prefix: b}, x-c: {regex: c+}}
    withoutHeaders: {x-d: {exact: d}, x-e: {prefix: e}, x-f: {regex: f+}}
    queryParams: {a: {exact: a}, b: {prefix: b}, c: {regex: c+}}
    port: 80
    sourceLabels: {app: front}
    sourceNamespace: default
    gateways: [mesh]
    statPrefix: first
  - {uri: {exact: /b}, scheme: {prefix: ht}, method: {prefix: G}, authority: {prefix: w}}
  - {uri: {regex: /c+}, scheme: {regex: https?}, method: {regex: GET|HEAD}, authority: {regex: w.b}}
  route:
  - destination: {host: web, subset: v1, port: {number: 80}}
    weight: 40
    headers:
      request: {set: {x-set: a}, add: {x-add: b}, remove: [x-gone]}
      response: {set: {y-set: a}, add: {y-add: b}, remove: [y-gone]}
  - {destination: {host: other}, weight: 60}
  headers:
    request: {set: {x-set: a}, add: {x-add: b}, remove: [x-gone]}
    response: {set: {y-set: a}, add: {y-add: b}, remove: [y-gone]}
  rewrite: {uri: /z, authority: z.test}
  timeout: 2s
  retries: {attempts: 3, perTryTimeout: 1s, retryOn: "503", retryRemoteLocalities: true, retryIgnorePreviousHosts: false, backoff: 50ms}
  fault: {delay: {fixedDelay: 1s, percentage: {value: 10}}, abort: {httpStatus: 500, percentage: {value: 5}}}
  mirror: {host: other, subset: v1, port: {number: 80}}
  mirrorPercentage: {value: 7}
  corsPolicy:
    allowOrigins: [{exact: "https://a.test"}, {prefix: "https://b"}, {regex: "https://c.*"}]
    allowMethods: [GET]
    allowHeaders: [x-a]
    exposeHeaders: [x-b]
    maxAge: 24h
    allowCredentials: true
    unmatchedPreflights: IGNORE
`,
    `
hosts: [web]
http:
- match: [{uri: {prefix: /grpc}}]
  fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 5}}, delay: {fixedDelay: 1s, percent: 5}}
  route: [{destination: {host: web}}]
  mirror: {host: other}
  mirrorPercent: 3
- match: [{uri: {prefix: /h2}}]
  fault: {abort: {http2Error: REFUSED_STREAM}, delay: {exponentialDelay: 1s}}
  route: [{destination: {host: web}}]
  mirror: {host: other}
  mirror_percent: 3
- match: [{uri: {prefix: /mirrors}}]
  mirrors: [{destination: {host: other, subset: v1, port: {number: 80}}, percentage: {value: 3}}]
  rewrite: {uriRegexRewrite: {match: /a(.*), rewrite: '/b\\1'}}
  corsPolicy: {allowOrigin: ["https://a.test"]}
  route: [{destination: {host: web}}]
- match: [{uri: {prefix: /redirect}}]
  redirect: {uri: /b, authority: b.test, port: 8080, scheme: https, redirectCode: 302}
- match: [{uri: {prefix: /prefix}}]
  redirect: {prefixRewrite: /b, derivePort: FROM_REQUEST_PORT}
- match: [{uri: {prefix: /text}}]
  directResponse: {status: 200, body: {string: hello}}
- match: [{uri: {prefix: /bytes}}]
  directResponse: {status: 200, body: {bytes: aGVsbG8=}}
- match: [{uri: {prefix: /delegate}}]
  delegate: {name: more, namespace: other}
`,
    `
hosts: [web]
gateways: [mesh, default/edge]
tcp:
- match:
  - {destinationSubnets: [10.0.0.0/8], port: 9000, sourceLabels: {app: front}, sourceNamespace: default, sourceSubnet: 10.1.0.0/16, gateways: [mesh]}
  route:
  - {destination: {host: web, subset: v1, port: {number: 9000}}, weight: 30}
  - {destination: {host: other}, weight: 70}
tls:
- match:
  - {sniHosts: [web], destinationSubnets: [10.0.0.0/8], port: 443, sourceLabels: {app: front}, sourceNamespace: default, gateways: [mesh]}
  route:
  - {destination: {host: web, subset: v1, port: {number: 443}}, weight: 30}
  - {destination: {host: other}, weight: 70}
`,
  ],
  DestinationRule: [
    `
host: web
exportTo: ["."]
workloadSelector: {matchLabels: {app: front}}
subsets: [{name: v1, labels: {version: v1}}]
trafficPolicy:
  loadBalancer:
    simple: ROUND_ROBIN
    warmup: {duration: 10s, minimumPercent: 5, aggression: 2}
    localityLbSetting: {enabled: true, distribute: [{from: a/b/c, to: {a/b/c: 100}}]}
  connectionPool:
    tcp: {maxConnections: 1, connectTimeout: 2s, idleTimeout: 3s, maxConnectionDuration: 4s, tcpKeepalive: {probes: 5, time: 6s, interval: 7s}}
    http: {http1MaxPendingRequests: 1, http2MaxRequests: 2, maxRequestsPerConnection: 3, maxRetries: 4, idleTimeout: 5s, h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 6, http2KeepAlive: {interval: 7s, timeout: 8s}}
  outlierDetection: {consecutive5xxErrors: 1, consecutiveGatewayErrors: 2, consecutiveLocalOriginFailures: 3, splitExternalLocalOriginErrors: true, interval: 4s, baseEjectionTime: 5s, maxEjectionPercent: 6, minHealthPercent: 7, outlierDetectionHttpErrorCodes: [503]}
  tls: {mode: MUTUAL, sni: a.test, subjectAltNames: [b.test], clientCertificate: /c, privateKey: /k, caCertificates: /ca, caCrl: /crl}
  portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]
  tunnel: {protocol: POST, targetHost: c.test, targetPort: 443}
  proxyProtocol: {version: V2}
  retryBudget: {percent: 10, minRetryConcurrency: 2, budgetInterval: 1s}
`,
    `
host: web
trafficPolicy:
  loadBalancer:
    consistentHash: {httpCookie: {name: a, path: /, ttl: 1s, attributes: [{name: SameSite, value: Lax}]}, ringHash: {minimumRingSize: 10}}
    localityLbSetting: {failover: [{from: a, to: b}], failoverPriority: [app]}
    warmupDurationSecs: 5s
  connectionPool: {http: {useClientProtocol: true}}
  outlierDetection: {consecutiveErrors: 3}
  tls: {mode: SIMPLE, credentialName: a}
`,
    `
host: web
trafficPolicy:
  loadBalancer: {consistentHash: {httpHeaderName: a, maglev: {tableSize: 101}}, zoneAwareLbSetting: {enabled: true, failover: [{from: a, to: b}], failoverPriority: [app], minClusterSize: 3}}
  tls: {mode: SIMPLE, insecureSkipVerify: true}
`,
    `
host: web
trafficPolicy:
  loadBalancer: {consistentHash: {httpQueryParameterName: a, minimumRingSize: 10}, localityLbSetting: {enabled: false}}
`,
    `
host: web
trafficPolicy:
  loadBalancer: {consistentHash: {useSourceIp: true}}
`,
    `
host: web
trafficPolicy:
  loadBalancer: {backendUtilization: {errorUtilizationPenaltyPercent: 1, metricNamesForComputingUtilization: [a], weightExpirationPeriod: 1s, weightStabilizationPeriod: 1s, weightUpdatePeriod: 1s}}
`,
  ],
  Gateway: [
    `
selector: {istio: ingressgateway}
servers:
- name: a
  port: {number: 443, name: https, protocol: HTTPS, targetPort: 8443}
  bind: 127.0.0.1
  hosts: [a.test]
  defaultEndpoint: 127.0.0.1:80
  tls: {mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: /ca, caCrl: /crl, subjectAltNames: [b.test], verifyCertificateSpki: [AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=], verifyCertificateHash: [abababababababababababababababababababababababababababababababab], minProtocolVersion: TLSV1_2, maxProtocolVersion: TLSV1_3, cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256], ecdhCurves: [P-256]}
- {port: {number: 443, name: b, protocol: HTTPS}, hosts: [b.test], tls: {mode: MUTUAL, credentialName: a, caCertCredentialName: b}}
- {port: {number: 443, name: c, protocol: HTTPS}, hosts: [c.test], tls: {mode: SIMPLE, credentialNames: [a, b]}}
- {port: {number: 443, name: d, protocol: HTTPS}, hosts: [d.test], tls: {mode: SIMPLE, tlsCertificates: [{serverCertificate: /c, privateKey: /k, caCertificates: /ca}]}}
- {port: {number: 80, name: e, protocol: HTTP}, hosts: [e.test], tls: {httpsRedirect: true}}
`,
  ],
  ServiceEntry: [
    `
hosts: [a.test]
addresses: [10.9.9.9]
exportTo: ["."]
location: MESH_INTERNAL
resolution: STATIC
subjectAltNames: [spiffe://cluster.local/ns/a/sa/b]
ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]
endpoints: [{address: 10.0.0.1, ports: {http: 8081}, labels: {a: b}, locality: a/b/c, network: n, serviceAccount: s, weight: 3}]
`,
    `
hosts: [a.test]
ports: [{number: 80, name: http, protocol: HTTP}]
location: MESH_INTERNAL
resolution: STATIC
workloadSelector: {labels: {app: a}}
`,
  ],
  Sidecar: [
    `
workloadSelector: {labels: {app: a}}
outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: out.test, subset: v1, port: {number: 80}}}
egress: [{port: {number: 80, name: http, protocol: HTTP, targetPort: 8080}, bind: 127.0.0.1, captureMode: NONE, hosts: ["./*"]}, {hosts: ["./*"]}]
ingress:
- {port: {number: 80, name: http, protocol: HTTP, targetPort: 8080}, bind: 127.0.0.1, captureMode: NONE, defaultEndpoint: "127.0.0.1:8080"}
- {port: {number: 81, name: https, protocol: HTTPS}, tls: {mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: /ca, caCrl: /crl, verifyCertificateSpki: [a], verifyCertificateHash: [b], minProtocolVersion: TLSV1_2, maxProtocolVersion: TLSV1_3, cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256], ecdhCurves: [P-256], insecureSkipVerify: false, caCertCredentialName: c}}
inboundConnectionPool:
  tcp: {maxConnections: 1, connectTimeout: 2s, idleTimeout: 3s, maxConnectionDuration: 4s, tcpKeepalive: {probes: 5, time: 6s, interval: 7s}}
  http: {http1MaxPendingRequests: 1, http2MaxRequests: 2, maxRequestsPerConnection: 3, maxRetries: 4, idleTimeout: 5s, h2UpgradePolicy: UPGRADE, useClientProtocol: true, maxConcurrentStreams: 6, http2KeepAlive: {interval: 7s, timeout: 8s}}
`,
  ],
  WorkloadEntry: [
    `
address: 10.0.0.1
labels: {app: a}
locality: a/b/c
network: n
ports: {http: 8080}
serviceAccount: s
weight: 3
`,
  ],
  WorkloadGroup: [
    `
metadata: {labels: {app: a}, annotations: {b: c}}
template: {address: 10.0.0.1, labels: {app: a}, locality: a/b/c, network: n, ports: {http: 8080}, serviceAccount: s, weight: 3}
probe: {initialDelaySeconds: 1, timeoutSeconds: 2, periodSeconds: 3, successThreshold: 1, failureThreshold: 4, httpGet: {host: a, path: /a, port: 80, scheme: HTTP, httpHeaders: [{name: a, value: b}]}}
`,
    `
template: {serviceAccount: s}
probe: {tcpSocket: {host: a, port: 80}}
`,
    `
template: {serviceAccount: s}
probe: {exec: {command: [a]}}
`,
    `
template: {serviceAccount: s}
probe: {grpc: {service: a, port: 80}}
`,
  ],
};

/** Fields that are known and refused. */
export const REFUSED: Readonly<Record<string, string>> = {
  Gateway: `
selector: {}
servers: [{port: {number: 443, name: f, protocol: HTTPS}, hosts: [f.test], tls: {mode: MUTUAL, credentialName: a, insecureSkipVerify: true}}]
`,
  Sidecar: `
ingress:
- port: {number: 81, name: https, protocol: HTTPS}
  tls: {mode: SIMPLE, httpsRedirect: true, subjectAltNames: [a], credentialName: a, credentialNames: [a], tlsCertificates: [{serverCertificate: /c, privateKey: /k, caCertificates: /ca}]}
`,
};
