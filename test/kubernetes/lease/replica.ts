// A process that wants to lead, for election.test.ts, which kills it: node replica.ts KUBECONFIG NAME. Prints `leads` and `follows`.
import pino from 'pino';
import { apiClient } from '../../../kubernetes/api/client.ts';
import { clusterAccess } from '../../../kubernetes/api/connect.ts';
import { Election } from '../../../kubernetes/lease/election.ts';

const [, , file, identity = ''] = process.argv;
const election = new Election({
  client: apiClient(await clusterAccess({ file, context: undefined })),
  namespace: 'default',
  name: 'gatehouse',
  identity,
  log: pino({ enabled: false }),
  clock: () => new Date(),
  pace: { holdsMs: 3_000, renewWithinMs: 2_000, everyMs: 300 },
});
election.onChange((leads) => process.stdout.write(leads ? 'leads\n' : 'follows\n'));
process.on('SIGTERM', () => void election.close().then(() => process.exit(0)));
