import { captureArguments } from '../capture/arguments.ts';
import type { CaptureOptions } from '../capture/options.ts';
import { annotated, captureImage, type Context, resourcesOf } from './context.ts';
import { defined, type JsonObject } from './json.ts';
import { CAPTURE, CORE_DUMP, VALIDATION } from './pod.ts';
import { proxyMetadata } from './proxy-config.ts';

/** The container that sets up the capture before the application starts, or that checks what a CNI plugin has set up. */
export function captureContainer(context: Context, options: CaptureOptions): JsonObject {
  const { settings, proxyUser } = context;
  const cni = settings.captureBy.kind === 'cni';
  const metadata = Object.entries(proxyMetadata(context.proxyConfig));
  return defined({
    name: cni ? VALIDATION : CAPTURE,
    image: captureImage(context),
    imagePullPolicy: settings.imagePullPolicy,
    args: [
      'capture',
      ...captureArguments(options),
      ...(cni ? ['--probe'] : []),
      `--log-level=${annotated(context, 'sidecar.istio.io/agentLogLevel', settings.agentLogLevel)}`,
    ],
    env: metadata.length === 0 ? undefined : metadata.map(([name, value]) => ({ name, value })),
    resources: resourcesOf(context),
    securityContext: defined({
      allowPrivilegeEscalation: settings.privileged,
      privileged: settings.privileged,
      capabilities: { ...(cni ? {} : { add: ['NET_ADMIN', 'NET_RAW'] }), drop: ['ALL'] },
      readOnlyRootFilesystem: cni,
      runAsGroup: cni ? proxyUser : 0,
      runAsUser: cni ? proxyUser : 0,
      runAsNonRoot: cni,
      seccompProfile: settings.seccompProfile,
    }),
  });
}

/** Where core dumps are asked for: the kernel of the node is told to write them where the proxy can. */
export function coreDumpContainer(context: Context): JsonObject {
  return defined({
    name: CORE_DUMP,
    image: captureImage(context),
    imagePullPolicy: context.settings.imagePullPolicy,
    command: ['/bin/sh'],
    args: ['-c', 'sysctl -w kernel.core_pattern=/var/lib/istio/data/core.proxy && ulimit -c unlimited'],
    resources: {},
    securityContext: {
      allowPrivilegeEscalation: true,
      capabilities: { add: ['SYS_ADMIN'], drop: ['ALL'] },
      privileged: true,
      readOnlyRootFilesystem: false,
      runAsGroup: 0,
      runAsNonRoot: false,
      runAsUser: 0,
    },
  });
}
