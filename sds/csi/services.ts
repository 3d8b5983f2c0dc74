import { create, type DescMessage, type DescMethod, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import { type sendUnaryData, Server, ServerCredentials, type ServerUnaryCall, status } from '@grpc/grpc-js';
import { rm } from 'node:fs/promises';
import type { Logger } from 'pino';
import { Identity, Node, type NodePublishVolumeRequest } from '#gen/gatehouse/csi/v1/csi_pb.js';
import { Registration } from '#gen/gatehouse/csi/v1/registration_pb.js';
import { rpc } from '../grpc.ts';
import { clearStaleSocket, restrictSocket } from '../server/socket.ts';
import { CsiRefusal, invalid } from './answer.ts';
import type { PublishRequest } from './volume.ts';

/** What the calls of a kubelet come to. */
export interface CsiDriver {
  readonly name: string;
  readonly version: string;
  readonly node: string;
  /** @throws CsiRefusal */
  publish(request: PublishRequest): Promise<void>;
  /** @throws CsiRefusal */
  unpublish(volumeId: string, targetPath: string): Promise<void>;
}

export interface Listening {
  close(): Promise<void>;
}

type Unary<I extends DescMessage, O extends DescMessage> = (
  call: ServerUnaryCall<MessageShape<I>, MessageShape<O>>,
  reply: sendUnaryData<MessageShape<O>>,
) => void;

function unary<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { readonly input: I; readonly output: O },
  log: Logger,
  answer: (request: MessageShape<I>) => MessageInitShape<O> | Promise<MessageInitShape<O>>,
): Unary<I, O> {
  return (call, reply) => {
    // The request is never logged: it has the pod's token.
    Promise.resolve()
      .then(() => answer(call.request))
      .then(
        (found) => reply(null, create(method.output, found)),
        (error: unknown) => {
          const reason = error instanceof Error ? error.message : String(error);
          log.warn({ method: method.name, reason }, 'a call of the kubelet failed');
          reply({ code: error instanceof CsiRefusal ? error.code : status.INTERNAL, details: reason.slice(0, 1000) });
        },
      );
  };
}

/** Serves the driver where the kubelet calls it. */
export function serveDriver(socket: string, driver: CsiDriver, log: Logger): Promise<Listening> {
  const server = newServer();
  const { getPluginInfo, getPluginCapabilities, probe } = Identity.method;
  server.addService(
    { getPluginInfo: rpc(getPluginInfo), getPluginCapabilities: rpc(getPluginCapabilities), probe: rpc(probe) },
    {
      getPluginInfo: unary(getPluginInfo, log, () => ({ name: driver.name, vendorVersion: driver.version })),
      getPluginCapabilities: unary(getPluginCapabilities, log, () => ({})),
      probe: unary(probe, log, () => ({ ready: true })),
    },
  );
  const { nodePublishVolume, nodeUnpublishVolume, nodeGetCapabilities, nodeGetInfo } = Node.method;
  server.addService(
    {
      nodePublishVolume: rpc(nodePublishVolume),
      nodeUnpublishVolume: rpc(nodeUnpublishVolume),
      nodeGetCapabilities: rpc(nodeGetCapabilities),
      nodeGetInfo: rpc(nodeGetInfo),
    },
    {
      nodePublishVolume: unary(nodePublishVolume, log, async (request) => {
        await driver.publish(publishRequest(request));
        return {};
      }),
      nodeUnpublishVolume: unary(nodeUnpublishVolume, log, async ({ volumeId, targetPath }) => {
        if (volumeId === '' || targetPath === '') throw invalid('volume_id and target_path must be given');
        await driver.unpublish(volumeId, targetPath);
        return {};
      }),
      nodeGetCapabilities: unary(nodeGetCapabilities, log, () => ({})),
      nodeGetInfo: unary(nodeGetInfo, log, () => ({ nodeId: driver.node })),
    },
  );
  return listen(server, socket);
}

/** The versions that a kubelet looks for in a CSI driver's registration. */
const VERSIONS = ['1.0.0'];

/** Serves the kubelet's plugin watcher, so that no sidecar is needed for that. `endpoint`: the driver's socket, as the kubelet sees it. */
export function serveRegistration(
  socket: string,
  endpoint: string,
  driver: Pick<CsiDriver, 'name'>,
  log: Logger,
): Promise<Listening> {
  const server = newServer();
  const { getInfo, notifyRegistrationStatus } = Registration.method;
  server.addService(
    { getInfo: rpc(getInfo), notifyRegistrationStatus: rpc(notifyRegistrationStatus) },
    {
      getInfo: unary(getInfo, log, () => ({ type: 'CSIPlugin', name: driver.name, endpoint, supportedVersions: VERSIONS })),
      notifyRegistrationStatus: unary(notifyRegistrationStatus, log, ({ pluginRegistered, error }) => {
        if (pluginRegistered) log.info('the kubelet has registered the driver');
        else log.error({ reason: error }, 'the kubelet has not registered the driver');
        return {};
      }),
    },
  );
  return listen(server, socket);
}

function publishRequest(request: NodePublishVolumeRequest): PublishRequest {
  const { volumeId, targetPath, readonly, volumeContext, secrets, volumeCapability } = request;
  return { volumeId, targetPath, readonly, access: volumeCapability?.accessType.case, context: volumeContext, secrets };
}

function newServer(): Server {
  return new Server({ 'grpc.max_receive_message_length': 512 * 1024, 'grpc.enable_channelz': 0 });
}

async function listen(server: Server, path: string): Promise<Listening> {
  await clearStaleSocket(path);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
  });
  await restrictSocket(path, undefined);
  return {
    async close() {
      server.drain(`unix:${path}`, 0);
      server.forceShutdown();
      await rm(path, { force: true });
    },
  };
}
