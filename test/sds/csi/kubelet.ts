// What a kubelet does for a pod with a volume of the driver, by the standard's own generated code (Go).
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Context } from 'mocha';
import { root } from '../../house/repository.ts';
import { goProgram } from '../../tools/go-program.ts';

export interface Answer {
  readonly code: string;
  readonly reason: string;
  readonly response?: Readonly<Record<string, unknown>>;
}

export interface PodOfKubelet {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
}

/** Built once; the test is skipped by name without Go. */
export function kubeletProgram(test: Context): string {
  return goProgram(test, join(import.meta.dirname, 'kubelet'), join(root, '.tools', 'csi-kubelet'));
}

export class Kubelet {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: Interface;
  readonly #directory: string;

  constructor(program: string, socket: string, directory: string) {
    this.#child = spawn(program, [socket], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout });
    this.#directory = directory;
  }

  async call(method: string, request: object = {}): Promise<Answer> {
    const line = once(this.#lines, 'line');
    this.#child.stdin.write(`${JSON.stringify({ method, request })}\n`);
    const answer: Answer = JSON.parse(String((await line)[0]));
    return answer;
  }

  targetOf({ uid }: PodOfKubelet, volume = 'identity'): string {
    return join(this.#directory, 'pods', uid, 'volumes', 'kubernetes.io~csi', volume, 'mount');
  }

  /** As for an inline volume of a pod; `more` changes fields of the request. */
  async publish(pod: PodOfKubelet, token: string, more: object = {}, volume = 'identity'): Promise<Answer> {
    const target = this.targetOf(pod, volume);
    mkdirSync(dirname(target), { recursive: true });
    return this.call('/csi.v1.Node/NodePublishVolume', {
      volumeId: `csi-${pod.uid}-${volume}`,
      targetPath: target,
      volumeCapability: { mount: {}, accessMode: { mode: 'SINGLE_NODE_WRITER' } },
      readonly: true,
      volumeContext: contextOf(pod, token),
      ...more,
    });
  }

  unpublish(pod: PodOfKubelet, volume = 'identity'): Promise<Answer> {
    return this.call('/csi.v1.Node/NodeUnpublishVolume', {
      volumeId: `csi-${pod.uid}-${volume}`,
      targetPath: this.targetOf(pod, volume),
    });
  }

  async end(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }
}

export function contextOf(pod: PodOfKubelet, token: string, audience = 'istio-ca'): Readonly<Record<string, string>> {
  const prefix = 'csi.storage.k8s.io';
  return {
    [`${prefix}/pod.name`]: pod.name,
    [`${prefix}/pod.namespace`]: pod.namespace,
    [`${prefix}/pod.uid`]: pod.uid,
    [`${prefix}/serviceAccount.name`]: pod.serviceAccount,
    [`${prefix}/ephemeral`]: 'true',
    [`${prefix}/serviceAccount.tokens`]: JSON.stringify({ [audience]: { token, expirationTimestamp: '2030-01-01T00:00:00Z' } }),
  };
}

export function ok(answer: Answer): Answer {
  assert.equal(answer.code, 'OK', answer.reason);
  return answer;
}
