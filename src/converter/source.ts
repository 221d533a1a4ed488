/** A checkpoint that was opened and found to be what its configuration says, before anything is written. */
import { type Checkpoint, openCheckpoint } from '../checkpoint/checkpoint.ts'
import { inferConfig, type ModelConfig } from '../model/config.ts'
import type { TensorPlan } from '../model/tensor-plan.ts'
import { checkTensors, planTensors } from '../model/tensors.ts'
import { renameOldTensors } from './old-names.ts'
import { checkStoredBuckets } from './stored-buckets.ts'

export interface Source {
  checkpoint: Checkpoint
  config: ModelConfig
  plan: readonly TensorPlan[]
  /** Tensors of the checkpoint that no graph needs. */
  unusedTensors: string[]
}

/**
 * The caller closes `checkpoint`.
 * @param imageSizePx default: what the checkpoint was made for
 * @throws CheckpointError, ModelConfigError, TensorMismatchError
 */
export async function openSource(path: string, imageSizePx?: number): Promise<Source> {
  const checkpoint = renameOldTensors(await openCheckpoint(path))
  try {
    const config = inferConfig(checkpoint.tensors.values(), checkpoint.cfg, imageSizePx)
    const plan = planTensors(config)
    const unusedTensors = checkTensors(checkpoint.tensors.values(), plan, config)
    await checkStoredBuckets(checkpoint, config)
    return { checkpoint, config, plan, unusedTensors }
  } catch (error) {
    await checkpoint.close()
    throw error
  }
}
