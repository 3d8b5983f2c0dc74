// The authority as `gatehouse serve` runs it (its gRPC server, its logger), in a process of its own, so that its CPU time is
// nobody else's. Tells its parent port and root, and answers each message with the CPU time used so far.
// Arguments: folder, JWKS file, issuer.
import { addCertificateService } from '../../ca/service/service.ts';
import { openAuthority } from '../../ca/authority.ts';
import { parseTrustDomain } from '../../ca/identity/trust-domain.ts';
import { logger } from '../../cli/log.ts';
import { grpcServer, listen } from '../../cli/serve/grpc-server.ts';

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
addCertificateService(server, { authority, log });
const tls = await authority.serverCredentials({ dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] });
const [bound] = await listen(server, [{ host: '127.0.0.1', port: 0 }], tls.credentials);

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuUs: user + system, rssBytes: process.memoryUsage.rss() });
});
process.on('disconnect', () => {
  tls.close();
  server.forceShutdown();
  void authority.close();
});
process.send?.({ port: bound?.port, rootsPem: authority.rootCertPem });
