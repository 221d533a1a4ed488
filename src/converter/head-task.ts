/**
 * What a head is for. The rule, in this order:
 *
 *   1. `--head-task` says it.
 *   2. The tensors say it: a segmentation head is told by its own tensors, one that joins two pictures is pair-reasoning.
 *   3. `cfg.task._name` says it: the official tasks below (spec §4.4), or one of our own names.
 *   4. One score for a text with a sound or picture can only be answer-choice.
 *
 * Nothing else is guessed: four numbers may be a box or four classes, and scores may exclude each other or not.
 */
import { HEAD_TASKS, type HeadTask } from '../bundle/manifest.ts'
import type { ModelConfig } from '../model/config.ts'
import { type Cfg, section } from '../model/shapes.ts'
import { ConvertError } from './convert-error.ts'

const OFFICIAL_TASKS: Record<string, HeadTask> = {
  refcoco: 'grounding',
  vqa: 'answering',
  nlvr2: 'pair-reasoning',
  aqa: 'answer-choice',
  vggsound: 'classification',
  image_classify: 'classification',
  fsd50k: 'multi-label',
}

/** What a segmentation's classes must fit into: a byte a pixel. */
const MAX_SEGMENT_CLASSES = 256

/** @throws ConvertError if the task cannot be told, or the head does not fit it */
export function headTask(name: string, config: ModelConfig, cfg: Cfg, told?: HeadTask): HeadTask {
  const task = told ?? taskOfTensors(config) ?? taskOfName(cfg) ?? taskOfShape(config)
  if (task === undefined) {
    const given = section(cfg, 'task')._name
    throw new ConvertError(
      `What the head ${name} is for cannot be told from its checkpoint (${config.modalities.join(' and ')}, ` +
        `${config.head!.classes} outputs, task ${JSON.stringify(given ?? null)}): say --head-task ${name}=TASK with one of ` +
        `${HEAD_TASKS.join(', ')}.`,
    )
  }
  const misfit = MISFITS[task](config)
  if (misfit) throw new ConvertError(`The head ${name} cannot be for ${task}, which ${misfit}.`)
  return task
}

function taskOfTensors({ head }: ModelConfig): HeadTask | undefined {
  if (head!.kind === 'segment') return 'segmentation'
  return head!.twoImages ? 'pair-reasoning' : undefined
}

function taskOfName(cfg: Cfg): HeadTask | undefined {
  const name = section(cfg, 'task')._name
  if (typeof name !== 'string') return undefined
  return OFFICIAL_TASKS[name] ?? HEAD_TASKS.find((task) => task === name)
}

function taskOfShape({ modalities, head }: ModelConfig): HeadTask | undefined {
  return hasTextAndMedium({ modalities }) && head!.classes === 1 ? 'answer-choice' : undefined
}

const hasTextAndMedium = ({ modalities }: Pick<ModelConfig, 'modalities'>): boolean =>
  modalities.length === 2 && modalities.includes('text')

const onOne = ({ modalities, head }: ModelConfig): string | undefined =>
  modalities.length === 1 && head!.kind === 'classify'
    ? undefined
    : 'takes one text, picture or sound and gives a score a class'

const onPictures = (config: ModelConfig, classes: number, twoImages: boolean): boolean => {
  const { head, modalities } = config
  const fits = head!.kind === 'classify' && head!.twoImages === twoImages && head!.classes === classes
  return fits && hasTextAndMedium(config) && modalities.includes('image')
}

const onQuestions = (config: ModelConfig): boolean => {
  const { head } = config
  return hasTextAndMedium(config) && head!.kind === 'classify' && !head!.twoImages
}

/** What a task needs of its head, said if the head lacks it. */
const MISFITS: Record<HeadTask, (config: ModelConfig) => string | undefined> = {
  grounding: (config) =>
    onPictures(config, 4, false) ? undefined : 'takes a text and a picture and gives four numbers',
  classification: onOne,
  'multi-label': onOne,
  answering: (config) => (onQuestions(config) ? undefined : 'takes a text with a picture or sound'),
  'answer-choice': (config) =>
    onQuestions(config) && config.head!.classes === 1
      ? undefined
      : 'takes a text with a picture or sound and gives one score',
  'pair-reasoning': (config) =>
    onPictures(config, 2, true) ? undefined : 'takes a text and two pictures and gives two scores',
  segmentation: ({ head }) =>
    head!.kind === 'segment' && head!.classes <= MAX_SEGMENT_CLASSES
      ? undefined
      : `needs a segmentation head of at most ${MAX_SEGMENT_CLASSES} classes`,
}
