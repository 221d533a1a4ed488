import type { FileHandle } from 'node:fs/promises'
import { CheckpointError } from './checkpoint-error.ts'
import type { TensorLayout } from './tensor-layout.ts'

export async function openSafetensors(
  _handle: FileHandle,
  _fileBytes: number,
): Promise<{ cfg: Record<string, unknown>; layouts: Map<string, TensorLayout> }> {
  throw new CheckpointError('Not yet written.')
}
