/**
 * Pixels to the model's input, as Pillow and torchvision make it: squashed to a square by antialiased bicubic resampling
 * on 8-bit values (at most 1 level in 255 from Pillow), then normalised. Source: utils/transforms.py, CLIP's constants.
 *
 *   image uint8 (H, W, 3) ─ (1, 3, H, W) ─ Resize ─┬─ resized uint8 (S, S, 3)
 *                                                  └─ /255 ─ -mean ─ /std ─ src_images float32 (1, 3, S, S)
 */
import { GraphBuilder, NO_INPUT } from '../onnx/graph-builder.ts'
import { DATA_TYPE } from '../onnx/proto.ts'

const MEAN = [0.48145466, 0.4578275, 0.40821073]
const STD = [0.26862954, 0.26130258, 0.27577711]

export function buildImagePreprocessGraph(sizePx: number): GraphBuilder {
  const g = new GraphBuilder('image_preprocess')
  const image = g.input('image', 'uint8', ['height', 'width', 3])
  const planes = g.op('Unsqueeze', [g.op('Transpose', [image], { perm: [2, 0, 1] }), g.int64([0])]) // (1, 3, H, W)
  const resized = g.op('Resize', [planes, NO_INPUT, NO_INPUT, g.int64([1, 3, sizePx, sizePx])], {
    mode: 'cubic',
    antialias: 1,
    cubic_coeff_a: { float: -0.5 },
    exclude_outside: 1,
    coordinate_transformation_mode: 'half_pixel',
  }) // (1, 3, S, S)
  const pixels = g.op('Transpose', [g.op('Squeeze', [resized, g.int64([0])])], { perm: [1, 2, 0] }) // (S, S, 3)
  const unit = g.op('Div', [g.op('Cast', [resized], { to: DATA_TYPE.float32 }), g.scalar(255)])
  const centred = g.op('Sub', [unit, g.float32(MEAN, [1, 3, 1, 1])])
  const normalised = g.op('Div', [centred, g.float32(STD, [1, 3, 1, 1])])
  g.output('src_images', normalised, 'float32', [1, 3, sizePx, sizePx])
  g.output('resized', pixels, 'uint8', [sizePx, sizePx, 3])
  return g
}
