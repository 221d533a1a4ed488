/**
 * What ONE-PEACE reached, to stand beside what was measured: the tables of "Models and Results" in the README of
 * github.com/OFA-Sys/ONE-PEACE, which are those of the paper (Wang et al. 2023, arXiv:2305.11172). Figures that stand in neither
 * are not here, R@5 and R@10 among them.
 */
export const PAPER_SOURCE = 'github.com/OFA-Sys/ONE-PEACE, README, Results; arXiv:2305.11172'

export interface PaperFigure {
  /** 0..1 */
  value: number
  /** Under which condition, as far as it may differ from ours. */
  condition: string
}

/** Data set, split, task, measure → percent, condition. */
const FIGURES: readonly (readonly [string, string, string, string, number, string])[] = [
  ['coco', 'test', 'image → text', 'R@1', 84.1, 'fine-tuned'],
  ['coco', 'test', 'text → image', 'R@1', 65.4, 'fine-tuned'],
  ['flickr30k', 'test', 'image → text', 'R@1', 97.6, 'fine-tuned'],
  ['flickr30k', 'test', 'text → image', 'R@1', 89.6, 'fine-tuned'],
  ['audiocaps', 'test', 'text → sound', 'R@1', 42.5, 'fine-tuned'],
  ['audiocaps', 'test', 'sound → text', 'R@1', 51.0, 'fine-tuned'],
  ['clotho', 'evaluation', 'text → sound', 'R@1', 22.4, 'fine-tuned'],
  ['clotho', 'evaluation', 'sound → text', 'R@1', 27.1, 'fine-tuned'],
  ['esc50', 'full', 'classes', 'accuracy', 91.8, 'zero-shot'],
  ['fsd50k', 'eval', 'classes', 'mAP', 69.7, 'fine-tuned'],
  ['vggsound', 'test', 'classes', 'accuracy', 68.2, 'fine-tuned, sound and pictures'],
  ['avqa', 'val', 'answers', 'accuracy', 86.2, 'fine-tuned, sound and question'],
  ['refcoco', 'val', 'phrases', 'Acc@0.5', 92.58, 'fine-tuned'],
  ['refcoco', 'testA', 'phrases', 'Acc@0.5', 94.18, 'fine-tuned'],
  ['refcoco', 'testB', 'phrases', 'Acc@0.5', 89.26, 'fine-tuned'],
  ['refcoco+', 'val', 'phrases', 'Acc@0.5', 88.77, 'fine-tuned'],
  ['refcoco+', 'testA', 'phrases', 'Acc@0.5', 92.21, 'fine-tuned'],
  ['refcoco+', 'testB', 'phrases', 'Acc@0.5', 83.23, 'fine-tuned'],
  ['refcocog', 'val', 'phrases', 'Acc@0.5', 89.22, 'fine-tuned'],
  ['refcocog', 'test', 'phrases', 'Acc@0.5', 89.27, 'fine-tuned'],
  ['imagenet', 'val', 'classes', 'accuracy', 89.8, 'fine-tuned'],
]

export function paperFigure(
  dataSet: string,
  split: string,
  row: { task: string; measure: string },
): PaperFigure | undefined {
  const found = FIGURES.find(
    ([name, of, task, measure]) => name === dataSet && of === split && task === row.task && measure === row.measure,
  )
  return found && { value: found[4] / 100, condition: found[5] }
}
