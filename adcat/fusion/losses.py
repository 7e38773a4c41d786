"""The losses of the fusion networks, as TensorFlow computes them."""

from collections.abc import Sequence
from typing import Any

from adcat.learning.runtime import import_tensorflow


def cross_entropy(logits: Any, labels: Any, weights: Any) -> Any:
    """Mean over the ads of B_n · -log softmax(logits)[n, y_n] (thesis, section 4.5.2).

    Args:
      logits: [n, categories].
      labels: [n].
      weights: [n], the factors B_n.
    """
    tf = import_tensorflow()
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return tf.reduce_mean(weights * losses)


def l2(variables: Sequence[Any], weight: float) -> Any:
    """weight · Σ w² / 2 over the weight matrices; biases are left out."""
    tf = import_tensorflow()
    return weight * tf.add_n([tf.nn.l2_loss(v) for v in variables if len(v.shape) == 2])


def auxiliary(
    u_img: Any, u_txt: Any, labels: Any, similarity: str, negatives: int, seed: Any
) -> Any:
    """Mean over the ads of Σ_j -log(e^s(i,t) / (e^s(i,t) + e^s(i,t⁻_j))) (thesis, section 4.6).

    The signs of the printed formula are those of a log-likelihood and a distance; here a loss and
    a similarity s are meant, so both turn. The g texts of another category are drawn at every step
    from the ads of the batch, whose text vectors are already transformed; an ad whose batch is
    all of its own category lacks the term.

    Args:
      u_img: transformed image vectors [n, size].
      u_txt: transformed text vectors [n, size].
      labels: [n].
      similarity: `cosine` or `dot`.
      negatives: g.
      seed: of the draws [2].
    """
    tf = import_tensorflow()
    other = tf.cast(labels[:, None] != labels[None, :], tf.float32)  # [n, n]
    draws = tf.random.stateless_categorical(tf.math.log(other), negatives, seed)  # [n, g]
    draws = tf.minimum(draws, tf.shape(other, tf.int64)[0] - 1)  # n where it has one category
    return contrast(similarities(u_img, u_txt, similarity), draws, other)


def similarities(u_img: Any, u_txt: Any, similarity: str) -> Any:
    """s(i, t) of every image with every text of a batch: [n images, n texts]."""
    tf = import_tensorflow()
    if similarity == "cosine":
        u_img, u_txt = tf.math.l2_normalize(u_img, -1), tf.math.l2_normalize(u_txt, -1)
    return tf.matmul(u_img, u_txt, transpose_b=True)


def contrast(s: Any, draws: Any, other: Any) -> Any:
    """The auxiliary loss for drawn negatives.

    Args:
      s: similarities [n images, n texts]; an ad's own text stands on the diagonal.
      draws: the texts drawn for each image [n, g].
      other: 1 where image and text are of different categories, else 0 [n, n].
    """
    tf = import_tensorflow()
    own = tf.linalg.diag_part(s)[:, None]
    terms = tf.nn.softplus(tf.gather(s, draws, batch_dims=1) - own)  # -log(e^a / (e^a + e^b))
    exists = tf.gather(other, draws, batch_dims=1)
    return tf.reduce_mean(tf.reduce_sum(terms * exists, axis=1))
