// Registrations as people and shells read them.
#ifndef CLIENT_CTL_REGISTRATION_OUTPUT_H_
#define CLIENT_CTL_REGISTRATION_OUTPUT_H_

#include <string>

#include "mimik/cluster/v1/resources.pb.h"

namespace coord {

// One `name: value` per line, without those that have none.
std::string RegistrationText(
    const ::mimik::cluster::v1::Registration& registration);

// REGISTRATION_STATUS and the CLUSTER_STATUS_… as `KEY='value'` lines for a
// shell to evaluate; the lease time in milliseconds.
std::string RegistrationEnv(
    const ::mimik::cluster::v1::Registration& registration);

// That clusterd suspects itself; empty when it doesn't.
std::string SelfPreservationText(
    const ::mimik::cluster::v1::Registration& registration);

// `3 of 4 told, 1 failed`; empty when nobody was to be told.
std::string AnnouncementText(
    const ::mimik::cluster::v1::Announcement& announcement);

}  // namespace coord

#endif  // CLIENT_CTL_REGISTRATION_OUTPUT_H_
