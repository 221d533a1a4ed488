/** A checkpoint that was opened and found to be what its configuration says, before anything is written. */
import { type Checkpoint, openCheckpoint, tensorBytes } from '../checkpoint/checkpoint.ts'
import { type ConfigChoices, inferConfig, type ModelConfig } from '../model/config.ts'
import type { TensorPlan } from '../model/tensor-plan.ts'
import { checkTensors, planTensors } from '../model/tensors.ts'
import { renameOldTensors } from './old-names.ts'
import { checkStoredBuckets } from './stored-buckets.ts'

export interface Source {
  checkpoint: Checkpoint
  config: ModelConfig
  plan: readonly TensorPlan[]
  /** What the plan's tensors take in the checkpoint. */
  plannedBytes: number
  /** Tensors of the checkpoint that no graph needs. */
  unusedTensors: string[]
}

/**
 * The caller closes `checkpoint`.
 * @throws CheckpointError, ModelConfigError, TensorMismatchError
 */
export async function openSource(path: string, choices: ConfigChoices = {}): Promise<Source> {
  const checkpoint = renameOldTensors(await openCheckpoint(path))
  try {
    const config = inferConfig(checkpoint.tensors.values(), checkpoint.cfg, choices)
    const plan = planTensors(config)
    const unusedTensors = checkTensors(checkpoint.tensors.values(), plan, config)
    await checkStoredBuckets(checkpoint, config)
    const plannedBytes = plan.reduce((sum, { name }) => sum + tensorBytes(checkpoint.tensors.get(name)!), 0)
    return { checkpoint, config, plan, plannedBytes, unusedTensors }
  } catch (error) {
    await checkpoint.close()
    throw error
  }
}
