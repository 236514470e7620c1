"""Gaussian noise in the weights themselves: written into them and taken back bit for bit, or beside them."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

import torch
from torch import Tensor, nn

from fuzzsmooth.common.options import require
from fuzzsmooth.noise.weight.layers import noised_named_parameters
from fuzzsmooth.noise.weight.seeding import check_sigma, torch_generator


class PerturbedParameters:
    """Adds N(0, sigma^2) to parameters and restores them exactly (arXiv 2502.06892, Eq. 4).

    Restoring copies the saved values back: in floating point ``(w + e) - e`` is often not ``w``. The buffers
    are kept, so one object serves every training step without new memory. Use ``perturb`` and ``restore``,
    or ``with noise.perturb(seed): ...``, which restores on exceptions too.

    Args:
        parameters: The parameters to perturb, kept by reference; they must not be replaced meanwhile.
        sigma: Standard deviation of the noise, >= 0, in units of the parameters.

    Raises:
        FuzzsmoothError: If ``sigma`` is negative or not finite.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], sigma: float) -> None:
        check_sigma(sigma)
        self._parameters = list(parameters)
        self._sigma = sigma
        self._saved: list[Tensor] = []
        self._scratch: dict[torch.device, Tensor] = {}
        self._perturbed = False

    @property
    def perturbed(self) -> bool:
        """Whether the parameters carry noise now."""
        return self._perturbed

    @torch.no_grad()
    def perturb(self, seed: int) -> PerturbedParameters:
        """Save the parameters and add noise to them.

        Args:
            seed: 0 .. 2**63 - 1; the noise is a function of it (and of the device type) alone.

        Returns:
            Itself, to be used as a context manager.

        Raises:
            FuzzsmoothError: If the parameters already carry noise, or the seed is out of range.
        """
        require(not self._perturbed, "the parameters already carry noise; call restore() before perturb()")
        generators = {
            device: torch_generator(seed, device) for device in {p.device for p in self._parameters}
        }
        self._save()
        self._perturbed = True
        try:
            for parameter in self._parameters:
                noise = self._normal(parameter, generators[parameter.device])
                # Rounded once: the sum is computed in the wider of the two types.
                torch.add(parameter, noise, alpha=self._sigma, out=noise)
                parameter.copy_(noise)
        except BaseException:
            self.restore()
            raise
        return self

    @torch.no_grad()
    def restore(self) -> None:
        """Put the saved values back, bit for bit; does nothing if there is no noise to take back."""
        if not self._perturbed:
            return
        for parameter, saved in zip(self._parameters, self._saved, strict=True):
            parameter.copy_(saved)
        self._perturbed = False

    def __enter__(self) -> PerturbedParameters:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()

    def _save(self) -> None:
        fit = len(self._saved) == len(self._parameters) and all(
            saved.device == parameter.device and saved.dtype == parameter.dtype
            for saved, parameter in zip(self._saved, self._parameters, strict=True)
        )
        if not fit:
            self._saved = [torch.empty_like(parameter) for parameter in self._parameters]
        for saved, parameter in zip(self._saved, self._parameters, strict=True):
            saved.copy_(parameter)

    def _normal(self, parameter: Tensor, generator: torch.Generator) -> Tensor:
        """Standard normals in the shape of ``parameter``, float32 or wider, in a reused buffer."""
        dtype = torch.promote_types(parameter.dtype, torch.float32)
        buffer = self._scratch.get(parameter.device)
        if buffer is None or buffer.numel() < parameter.numel() or buffer.dtype != dtype:
            buffer = torch.empty(parameter.numel(), dtype=dtype, device=parameter.device)
            self._scratch[parameter.device] = buffer
        return buffer[: parameter.numel()].normal_(generator=generator).view(parameter.shape)


@torch.no_grad()
def drawn_weights(model: nn.Module, top_layers: int, sigma: float, seed: int) -> dict[str, Tensor]:
    """One draw of the noised parameters, by name: what ``PerturbedParameters`` would write into them.

    The model is not touched; :func:`torch.func.functional_call` evaluates it with these in place of its own.

    Args:
        model: A Hugging Face sequence classifier.
        top_layers: H, the noised blocks counted from the output; the head above them is noised too.
        sigma: Standard deviation of the noise, >= 0, in units of the parameters.
        seed: 0 .. 2**63 - 1.

    Raises:
        FuzzsmoothError: As :func:`~fuzzsmooth.noise.weight.noised_parameters`, or on a bad ``sigma`` or seed.
    """
    check_sigma(sigma)
    drawn: dict[str, Tensor] = {}
    generators: dict[torch.device, torch.Generator] = {}
    for name, parameter in noised_named_parameters(model, top_layers):
        device = parameter.device
        generator = generators.setdefault(device, torch_generator(seed, device))
        dtype = torch.promote_types(parameter.dtype, torch.float32)
        noise = torch.empty(parameter.shape, dtype=dtype, device=device).normal_(generator=generator)
        # Rounded once: the sum is computed in the wider of the two types.
        drawn[name] = torch.add(parameter, noise, alpha=sigma, out=noise).to(parameter.dtype)
    return drawn
