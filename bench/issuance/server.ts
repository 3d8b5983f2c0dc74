// The authority as `gatehouse serve` runs it (its gRPC server, its logger), in a process of its own, so that its CPU time is
// nobody else's. Tells its parent port and root, and answers each message with the CPU time used so far.
// Arguments: folder, JWKS file, issuer.
import { openAuthority } from '../../ca/authority.ts';
import { parseTrustDomain } from '../../ca/identity/trust-domain.ts';
import { grpcListener } from '../../ca/service/http2/listener.ts';
import { addCertificateService } from '../../ca/service/service.ts';
import { systemEvery } from '../../ca/tls/credentials.ts';
import { logger } from '../../cli/log.ts';
import { grpcServer } from '../../cli/serve/grpc-server.ts';
import { serverOptions } from '../../xds/stream/server-options.ts';

const [, , dir = '', jwksFile = '', issuer = ''] = process.argv;
const trustDomain = parseTrustDomain('cluster.local');
if (!trustDomain.ok) throw new Error(trustDomain.reason);
const log = logger();
const authority = await openAuthority({
  dir,
  trustDomain: trustDomain.value,
  clock: () => new Date(),
  log,
  jwksFile,
  issuer,
});
const server = grpcServer();
const calls = addCertificateService(server, { authority, log });
const tls = await authority.serverCredentials({ dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] });
const concurrentStreams = serverOptions['grpc.max_concurrent_streams'];
const listener = grpcListener({ tls, server, calls, concurrentStreams, every: systemEvery });
const port = await listener.listen('127.0.0.1', 0);

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuUs: user + system, rssBytes: process.memoryUsage.rss() });
});
process.on('disconnect', () => {
  tls.close();
  listener.close();
  server.forceShutdown();
  void authority.close();
});
process.send?.({ port, rootsPem: authority.rootCertPem });
