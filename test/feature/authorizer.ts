// An authorizer for `gatehouse up --image`.
import { startGrpcAuthorizer, startHttpAuthorizer } from '../policy/ext-authz/servers.ts';

const address = process.env['HOST'] ?? '0.0.0.0';
await startHttpAuthorizer(address, 8000);
await startGrpcAuthorizer(address, 9000);
